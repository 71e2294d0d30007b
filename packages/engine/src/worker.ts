/** The entry of a worker thread: `run` does one job and answers with how it ended; it never rejects. */
import { codeKernel } from "./codec/code-kernel.ts";
import { loadDigests } from "./codec/digest.ts";
import type { Job, JobOutcome, JobValue } from "./codec/stripe-job.ts";
import { runJobSafely } from "./codec/stripe-job.ts";

export async function run<J extends Job>(job: J): Promise<JobOutcome<JobValue<J>>> {
  await loadDigests();
  return runJobSafely(job, codeKernel());
}
