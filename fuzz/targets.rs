//! The targets of `protocol/tests/decoders` under libFuzzer, one test for each; `tests/fuzz` builds and runs them.
#![cfg(test)]

#[macro_use]
#[path = "../protocol/tests/decoders/target.rs"]
mod target;
#[path = "../protocol/tests/decoders/body.rs"]
mod body;
#[path = "../protocol/tests/decoders/event.rs"]
mod event;
#[path = "../protocol/tests/decoders/packet.rs"]
mod packet;
#[path = "../protocol/tests/decoders/value.rs"]
mod value;

macro_rules! under_the_fuzzer {
    ($($name:ident => $target:path,)+) => {$(
        #[test]
        fn $name() {
            bolero::check!().for_each(|bytes: &[u8]| $target(bytes));
        }
    )+};
}

for_each_target!(under_the_fuzzer);
