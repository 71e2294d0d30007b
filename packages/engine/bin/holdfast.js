#!/usr/bin/env node
// npm links commands when it installs, before anything is built: this file is always there.
import "../dist/cli.js";
