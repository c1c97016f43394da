//! Bytes on the wire, and in the hub's heap.

use allocation_counter::measure;
use hustings_bench_neighbours::Heap;

fn main() -> std::process::ExitCode {
    hustings_bench_neighbours::main(Some(|work| {
        let counted = measure(work);
        Heap {
            left: counted.bytes_current,
            most: counted.bytes_max as i64,
        }
    }))
}
