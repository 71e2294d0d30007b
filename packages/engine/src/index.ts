/** Holdfast: an embeddable, erasure-coded object store. */
export { type ErrorCode, type ErrorDetails, type ErrorKind, errorCodes, HoldfastError, isHoldfastError } from "./base/errors.ts";
export { openStore, type RecoveryProgress, type SetSpace, type Store, type StoreComponents, type StoreStatus } from "./engine.ts";
