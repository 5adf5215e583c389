//! Input made to hurt: nesting that would overflow a stack, lengths that would take quadratic time.

use std::hint::black_box;
use std::time::{Duration, Instant};

/// What an input of `n` bytes, more or less, is made of.
type Shape = fn(usize) -> String;

const SHAPES: [(&str, Shape); 15] = [
    ("an array in an array", |n| {
        nested(n, "2[\"x\",", "[", "]", "]")
    }),
    ("an object in an object", |n| {
        nested(n / 6, "2[\"x\",", "{\"a\":", "}", "]")
    }),
    ("arrays that are never closed", |n| {
        format!("2[\"x\",{}", "[".repeat(n))
    }),
    ("a body in a body", |n| {
        nested(n / 6, "", "{\"a\":", "}", "")
    }),
    ("a list of many subtasks", |n| {
        format!(
            "{{\"title\":\"x\",\"subtasks\":[{}{{}}]}}",
            "{},".repeat(n / 3)
        )
    }),
    ("many unknown fields", |n| {
        let fields: String = (0..n / 12).map(|i| format!("\"f{i:06}\":1,")).collect();
        format!("{{{fields}\"title\":\"x\"}}")
    }),
    ("a field again and again", |n| {
        format!("{{{}\"title\":\"x\"}}", "\"title\":1,".repeat(n / 10))
    }),
    ("a long text of escapes", |n| {
        format!("{{\"title\":\"{}\"}}", "\\u0041".repeat(n / 6))
    }),
    ("many arguments", |n| {
        format!("2[\"x\"{}]", ",1".repeat(n / 2))
    }),
    ("many packets", |n| format!("4{}", "\u{1e}4".repeat(n / 2))),
    ("digits", |n| format!("2{}", "9".repeat(n))),
    ("a namespace without end", |n| {
        format!("2/{}", "a".repeat(n))
    }),
    ("a parameter again and again", |n| {
        format!("transport=polling{}", "&sid=1".repeat(n / 6))
    }),
    ("a key of a place just below the next", |n| {
        format!("\n\na0{}\na1", "z".repeat(n))
    }),
    ("a long key of a place", |n| {
        format!("\n\na0{0}1\na0{0}2", "V".repeat(n / 2))
    }),
];

type Target = fn(&[u8]);

macro_rules! list {
    ($($name:ident => $target:path,)+) => {
        &[$((stringify!($name), $target as Target)),+]
    };
}

const TARGETS: &[(&str, Target)] = for_each_target!(list);

fn nested(times: usize, before: &str, open: &str, close: &str, after: &str) -> String {
    format!(
        "{before}{}1{}{after}",
        open.repeat(times),
        close.repeat(times)
    )
}

/// The quickest of some runs: whatever else the machine does only makes a run slower.
fn quickest(target: Target, input: &[u8]) -> Duration {
    let run = |_| {
        let start = Instant::now();
        target(black_box(input));
        start.elapsed()
    };
    (0..3).map(run).min().expect("there are some")
}

/// Eight times the input may take eight times as long; quadratic would be 64 times. The stack is a test thread's, as
/// small as a worker's.
#[test]
fn the_largest_hostile_inputs_take_linear_time_and_no_stack() {
    const SMALL: usize = 60_000;
    for (what, shape) in SHAPES {
        let (small, large) = (shape(SMALL), shape(8 * SMALL));
        for &(name, target) in TARGETS {
            let floor = Duration::from_micros(200);
            let measure = || {
                let before = quickest(target, small.as_bytes()).max(floor);
                (before, quickest(target, large.as_bytes()))
            };
            // A busy machine may slow one measurement down, but not all of them.
            let is_linear = |(before, after): (Duration, Duration)| after < before * 24;
            assert!(
                (0..10).any(|_| is_linear(measure())),
                "{name}, {what}: {:?}",
                measure()
            );
        }
    }
}
