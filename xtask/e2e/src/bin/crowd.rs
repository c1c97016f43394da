//! `cargo xtask bench --crowd`: a poll that one page hosts, and in which everybody of three other
//! pages votes at once.
//!
//! It says a name and a number on each line, as `xtask bench` reads them. Moments are by the clock
//! that all pages of a machine share. How long the host's page was busy is Chromium's own count of
//! its main thread's tasks, in time of a processor, which other work on the machine changes less
//! than it changes how long one waits.

#[cfg(unix)]
fn main() -> std::process::ExitCode {
    measure::main()
}

#[cfg(not(unix))]
fn main() {
    eprintln!("it needs process groups, which only Unix has");
}

#[cfg(unix)]
mod measure {
    use std::process::ExitCode;
    use std::sync::Arc;
    use std::time::Duration;
    use std::{env, fs};

    use anyhow::Context;
    use hustings_e2e::{Person, Tab, World, scenario};
    use serde::Deserialize;
    use serde_json::{Value, json};

    /// The pages that the people are in, each in a browser of its own.
    const PAGES: usize = 3;

    /// The time that anything may take.
    const BOUND: Duration = Duration::from_secs(600);

    /// The looks at a host that has let everybody in, and the time between two.
    const LOOKS: u32 = 60;
    const BETWEEN: Duration = Duration::from_secs(2);

    /// The part of its time that a host with nothing to do is busy at most. Links that say nothing
    /// take some.
    const QUIET: f64 = 0.05;

    /// The end of something that goes on in a page: a good one, or not.
    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "camelCase")]
    enum Ended {
        At(f64),
        Failed(String),
    }

    /// The work of the host's page so far.
    #[derive(Debug, Clone, Copy)]
    struct Work {
        /// Seconds of a processor, of the page's main thread.
        tasks: f64,
        commits: f64,
    }

    pub(super) fn main() -> ExitCode {
        let arguments: Vec<String> = env::args().skip(1).collect();
        let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
        if let [people, ballots @ ("open" | "secret")] = words[..]
            && let Ok(people) = people.parse()
        {
            scenario(async |world| run(world, people, ballots).await);
            return ExitCode::SUCCESS;
        }
        eprintln!("usage: crowd <people> open|secret");
        ExitCode::from(2)
    }

    async fn run(world: &World, people: usize, ballots: &str) -> anyhow::Result<()> {
        let page = world.page("crowd.html");
        let person = world.person("host").await?;
        let host = person.open(&page).await?;
        let threads = json!({ "timeDomain": "threadTicks" });
        host.devtools("Performance.enable", threads).await?;
        let (mut pages, mut browsers) = (Vec::new(), vec![person]);
        for number in 0..PAGES {
            let whose = format!("crowd-{number}");
            let person = world.person(&whose).await?;
            let page = person.open(&page).await?;
            browsers.push(person);
            let share = people / PAGES + usize::from(number < people % PAGES);
            let body = "await people(arg.share, arg.whose)";
            let arg = json!({ "share": share, "whose": whose });
            page.run_with::<()>(body, arg).await?;
            pages.push(page);
        }
        let arg = json!({ "title": "Tea or coffee?", "ballots": ballots });
        let link: String = host
            .run_with("return host(arg.title, arg.ballots)", arg)
            .await?;

        let before = work(&host).await?;
        let taken = processors(&browsers)?;
        profile(&host).await?;
        profile(&pages[0]).await?;
        let began = now(&host).await?;
        for page in &pages {
            page.run_with::<()>("joinAll(arg)", &link).await?;
        }
        say("join ms", end("joined", &pages).await? - began);
        profiled(&host, "host-join").await?;
        profiled(&pages[0], "people-join").await?;
        let joined = work(&host).await?;
        say(
            "join ms of processors",
            (processors(&browsers)? - taken) * 1_000.0,
        );
        say("join host ms", (joined.tasks - before.tasks) * 1_000.0);
        say("join commits", joined.commits - before.commits);

        settled(&host).await?;
        let before = work(&host).await?;
        let commits_before = commits(&pages).await?;
        let taken = processors(&browsers)?;
        profile(&host).await?;
        profile(&pages[0]).await?;
        let began = now(&host).await?;
        for page in &pages {
            page.run::<()>("voteAll()").await?;
            page.run_with::<()>("tallied(arg)", people).await?;
        }
        host.run_with::<()>("tallied(arg)", people).await?;
        say("vote ms", end("acknowledged", &pages).await? - began);
        let acknowledged = work(&host).await?;
        let tallied = end("tallied", &pages).await?;
        let tallied = tallied.max(end("tallied", std::slice::from_ref(&host)).await?);
        say("tally ms", tallied - began);
        profiled(&host, "host-vote").await?;
        profiled(&pages[0], "people-vote").await?;
        let taken = processors(&browsers)? - taken;
        say("vote ms of processors", taken * 1_000.0);
        let done = work(&host).await?;
        let tasks = |now: Work| (now.tasks - before.tasks) * 1_000.0;
        say("vote host ms", tasks(acknowledged));
        say("tally host ms", tasks(done));
        say("vote commits", done.commits - before.commits);
        say("people commits", commits(&pages).await? - commits_before);

        let expected: Vec<String> = host.run("return tally()").await?;
        let expected = expected.first().context("the host has no tally")?;
        for page in &pages {
            let seen: Vec<String> = page.run("return tally()").await?;
            anyhow::ensure!(
                seen.iter().all(|it| it == expected),
                "{seen:?}, not {expected}"
            );
        }
        Ok(())
    }

    fn say(name: &str, number: f64) {
        println!("{name}\t{number:.0}");
    }

    async fn now(page: &Tab) -> anyhow::Result<f64> {
        page.run("return Date.now()").await
    }

    /// Waits until this has ended in all of the pages. Returns the moment of the last.
    async fn end(name: &str, pages: &[Tab]) -> anyhow::Result<f64> {
        let mut last = 0.0_f64;
        for page in pages {
            let what = format!("everybody to be {name}");
            let ended = format!("ended('{name}')");
            page.wait_for(&what, &ended, BOUND).await?;
            match page.run(&format!("return {ended}")).await? {
                Ended::At(at) => last = last.max(at),
                Ended::Failed(why) => anyhow::bail!("not {name}: {why}"),
            }
        }
        Ok(last)
    }

    /// Waits until the host has told everybody of everybody's coming, so that it is not counted
    /// among the votes.
    async fn settled(host: &Tab) -> anyhow::Result<()> {
        let mut before = work(host).await?;
        for _ in 0..LOOKS {
            tokio::time::sleep(BETWEEN).await;
            let now = work(host).await?;
            if now.tasks - before.tasks < QUIET * BETWEEN.as_secs_f64() {
                return Ok(());
            }
            before = now;
        }
        anyhow::bail!("the host is never done with those who have joined")
    }

    /// Seconds that all browsers have taken.
    fn processors(browsers: &[Arc<Person>]) -> anyhow::Result<f64> {
        browsers.iter().map(|it| it.processor()).sum()
    }

    async fn commits(pages: &[Tab]) -> anyhow::Result<f64> {
        let mut all = 0.0;
        for page in pages {
            all += page.run::<f64>("return commits()").await?;
        }
        Ok(all)
    }

    async fn work(host: &Tab) -> anyhow::Result<Work> {
        let metrics = host.devtools("Performance.getMetrics", json!({})).await?;
        let metrics = metrics["metrics"].as_array().context("no metrics")?;
        let tasks = metrics
            .iter()
            .find(|metric| metric["name"] == "TaskDuration");
        let tasks = tasks.and_then(|metric| metric["value"].as_f64());
        Ok(Work {
            tasks: tasks.context("no TaskDuration")?,
            commits: host.run("return commits()").await?,
        })
    }

    /// The folder for profiles of the host's page and of a page of people, for the developer tools
    /// of Chromium: `HUSTINGS_PROFILES`. Without it none are taken, as they cost the pages time.
    fn profiles() -> Option<std::path::PathBuf> {
        env::var_os("HUSTINGS_PROFILES").map(Into::into)
    }

    async fn profile(page: &Tab) -> anyhow::Result<()> {
        if profiles().is_some() {
            page.devtools("Profiler.enable", json!({})).await?;
            page.devtools("Profiler.start", json!({})).await?;
        }
        Ok(())
    }

    async fn profiled(page: &Tab, phase: &str) -> anyhow::Result<()> {
        if let Some(folder) = profiles() {
            let profile: Value = page.devtools("Profiler.stop", json!({})).await?;
            let file = folder.join(format!("{phase}.cpuprofile"));
            fs::write(file, profile["profile"].to_string())?;
        }
        Ok(())
    }
}
