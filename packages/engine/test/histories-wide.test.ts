import { defineHistories } from "../src/testing/run-histories.ts";

defineHistories({ min: 5, max: 6 });
