import { defineHistories } from "../src/testing/run-histories.ts";

defineHistories({ min: 1, max: 4 });
