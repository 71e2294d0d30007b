import { HoldfastError } from "../base/errors.ts";

/** S3's naming rules for general purpose buckets, each with what to do about it. */
const rules: readonly { readonly broken: (name: string) => boolean; readonly problem: string }[] = [
  { broken: (name) => name.length < 3 || name.length > 63, problem: "must have 3 to 63 characters" },
  { broken: (name) => !/^[a-z0-9.-]*$/.test(name), problem: "may only hold lower-case letters, digits, dots and hyphens" },
  { broken: (name) => !/^[a-z0-9].*[a-z0-9]$/.test(name), problem: "must start and end with a letter or a digit" },
  { broken: (name) => name.includes(".."), problem: "must not hold two dots in a row" },
  { broken: (name) => /^\d+\.\d+\.\d+\.\d+$/.test(name), problem: "must not look like an IP address" },
  { broken: (name) => /^(xn--|sthree-|amzn-s3-demo-)/.test(name), problem: "must not start with xn--, sthree- or amzn-s3-demo-" },
  {
    broken: (name) => /(-s3alias|--ol-s3|\.mrap|--x-s3|--table-s3)$/.test(name),
    problem: "must not end with -s3alias, --ol-s3, .mrap, --x-s3 or --table-s3",
  },
];

/** Checks a bucket's name by S3's rules. @throws BUCKET_NAME_INVALID */
export function validateBucketName(name: string): void {
  const problem = typeof name === "string" ? rules.find((rule) => rule.broken(name))?.problem : "must be a string";
  if (problem === undefined) return;
  throw new HoldfastError("BUCKET_NAME_INVALID", `bucket name ${JSON.stringify(name)} ${problem}`, {
    details: { field: "name", value: name },
  });
}
