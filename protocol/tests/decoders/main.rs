//! Every decoder under abuse: for each a target, which says what must hold for whatever bytes come in.
//!
//! Here each target is run on its corpus and on inputs made to hurt; `tests/fuzz` runs the same under libFuzzer, guided
//! by coverage. An input that fails there is kept in `fuzz/crashes/<target>`, and is run here from then on.

#[macro_use]
mod target;
mod body;
mod event;
mod hostile;
mod packet;
mod value;

use std::{fs, path::Path};

macro_rules! on_the_corpus {
    ($($name:ident => $target:path,)+) => {$(
        #[test]
        fn $name() {
            run(stringify!($name), $target);
        }
    )+};
}

for_each_target!(on_the_corpus);

#[allow(clippy::print_stdout)] // Shown where the target fails.
fn run(name: &str, target: fn(&[u8])) {
    let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz");
    let inputs = |kind: &str| {
        let folder = fs::read_dir(home.join(kind).join(name))
            .into_iter()
            .flatten();
        folder.map(|entry| entry.expect("a readable folder").path())
    };
    let mut count = 0;
    for path in inputs("corpus").chain(inputs("crashes")) {
        println!("{}", path.display());
        target(&fs::read(path).expect("a readable input"));
        count += 1;
    }
    assert!(count > 0, "there is a corpus");
}
