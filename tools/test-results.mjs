/** @typedef {{ passed: number; failed: number }} Counts */

/**
 * Counts a vitest JSON report. Whatever went wrong without failing a test still counts as one failure.
 * @param {string | undefined} report @param {number} exitCode @returns {Counts}
 */
export function countResults(report, exitCode) {
  const counts = { passed: 0, failed: 0 };
  /** @type {{ testResults: { status: string; assertionResults: { status: string }[] }[] }} */
  const { testResults } = report === undefined ? { testResults: [] } : JSON.parse(report);
  for (const file of testResults) {
    const failed = file.assertionResults.filter((test) => test.status === "failed").length;
    counts.passed += file.assertionResults.filter((test) => test.status === "passed").length;
    counts.failed += file.status === "failed" ? Math.max(failed, 1) : failed;
  }
  if (exitCode !== 0 && counts.failed === 0) counts.failed = 1;
  return counts;
}

/** The line that ends every run. @param {Counts} counts */
export function resultLine(counts) {
  return `${counts.passed} passed, ${counts.failed} failed`;
}
