export { type ErrorCode, type ErrorDetails, type ErrorKind, HoldfastError, errorCodes, isHoldfastError } from "./base/errors.ts";
