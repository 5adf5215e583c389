//! The `collabflow` binary.
fn main() {}
