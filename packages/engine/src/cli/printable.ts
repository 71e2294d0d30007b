// Control characters and those that turn the direction of text: a key must not be able to steer a terminal.
const unsafe = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;

/** Text from outside, made safe to show: control characters appear as `\xNN` or `\u{NNNN}`. Exact text is for `--json`. */
export function printable(text: string): string {
  return text.replace(unsafe, (character) => {
    const code = character.codePointAt(0) as number;
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u{${code.toString(16)}}`;
  });
}
