#!/usr/bin/env node
process.stderr.write("holdfast: this build has no commands yet\n");
process.exitCode = 1;
