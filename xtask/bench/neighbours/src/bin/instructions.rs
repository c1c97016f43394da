//! For callgrind: nothing else is counted that would cost instructions.

fn main() -> std::process::ExitCode {
    hustings_bench_neighbours::main(None)
}
