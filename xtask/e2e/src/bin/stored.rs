//! The second half of `cargo xtask bench --browser`: until votes are on the disk in a browser,
//! beside a bare strict transaction of IndexedDB with as many bytes.
//!
//! The owner is gone, so that nothing but the votes is kept. Both do it in turn; the ratio is the
//! median of the ratios of each round, whose parts had the same machine.

#[cfg(unix)]
fn main() {
    measure::run();
}

#[cfg(not(unix))]
fn main() {
    eprintln!("it needs process groups, which only Unix has");
}

#[cfg(unix)]
mod measure {
    use hustings_e2e::{median, scenario};
    use serde_json::json;

    /// The votes at once, the milliseconds between one and the next, and the rounds that are measured
    /// of them.
    const VOTES: [(u32, u32, usize); 3] = [(1, 20, 101), (1, 0, 101), (100, 20, 21)];

    pub(super) fn run() {
        scenario(async |world| {
            let page = world.page("isolated/stored.html");
            let (ann, bob) = (world.person("ann").await?, world.person("bob").await?);
            let host = ann.open(&page).await?;
            let link: String = host.run("return host()").await?;
            let voter = bob.open(&page).await?;
            voter.run_with::<()>("await join(arg)", &link).await?;
            ann.kill();
            println!(
                "| until so many votes are on the disk, ms | pause before | ours | a bare strict transaction | more | ratio | goal |"
            );
            println!("| --- | --- | ---: | ---: | ---: | ---: | --- |");
            for (votes, pause, rounds) in VOTES {
                // The first rounds compile what the others run.
                let arg = json!({ "votes": votes, "pause": pause, "rounds": rounds + 2 });
                let before = match pause {
                    0 => "none".to_owned(),
                    pause => format!("{pause} ms"),
                };
                let measured: Vec<(f64, f64)> = voter.run_with("return measure(arg)", arg).await?;
                let measured = &measured[2..];
                println!(
                    "| {votes} | {before} | {:.2} | {:.2} | {:.2} | {:.2} | at most 1.2 |",
                    median(measured.iter().map(|(ours, _)| *ours)),
                    median(measured.iter().map(|(_, bare)| *bare)),
                    median(measured.iter().map(|(ours, bare)| ours - bare)),
                    median(measured.iter().map(|(ours, bare)| ours / bare)),
                );
            }
            Ok(())
        });
    }
}
