//! The `collabflow` binary.

fn main() -> std::process::ExitCode {
    collabflow::cli::run()
}
