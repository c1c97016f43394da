//! `cargo xtask bench --first-vote`: the time from a click on a link, in a browser that was never
//! there, until the vote is counted; of the web app, and of a page on stock PeerJS.
//!
//! The voter's network and processor are slowed down by DevTools; the host's browser is not. The
//! vote is made as soon as the page lets it be.

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
    use std::path::Path;

    use anyhow::Context;
    use hustings_e2e::bounds::{BACK, SOON};
    use hustings_e2e::{Page, Tab, World, scenario};
    use serde::Deserialize;
    use serde_json::json;

    /// The number of people who vote on each line of the table. The middle one is in it.
    const VOTERS: usize = 5;

    /// The number of others who may not get through.
    const MISSING: usize = 2;

    /// A line as DevTools' "Slow 4G" has it, with the latency that such a network has.
    const LATENCY_MS: u32 = 150;
    const DOWN_BYTES: u32 = 1_440_000 / 8;
    const UP_BYTES: u32 = 675_000 / 8;

    /// By how much the processor is slower than this machine's, on the lines of the table.
    const SLOWER: [u32; 2] = [1, 4];

    /// Votes as soon as that is possible, and notes when.
    const VOTER: &str = include_str!("voter.js");

    /// Milliseconds since the page was asked for.
    #[derive(Debug, Clone, Copy, Deserialize)]
    struct Noted {
        drawn: f64,
        shown: f64,
        counted: f64,
        /// The bytes that came over HTTP, with their heads.
        bytes: f64,
    }

    pub(super) fn run() {
        scenario(async |world| {
            let stock = std::env::var_os("HUSTINGS_E2E_BALLOT");
            let stock = stock
                .context("HUSTINGS_E2E_BALLOT is not set: run `cargo xtask bench --first-vote`")?;
            let host = world.person("the host").await?;
            let page = Page::new(world.app()?, "document.querySelector('main') !== null");
            let app = host.open(&page).await?;
            let ours = begin(&app).await?;
            let server = world.serve(Path::new(&stock)).await?;
            let page = format!("http://127.0.0.1:{}/", server.port());
            let ballot = host
                .open(&Page::new(page, "window.link !== undefined"))
                .await?;
            let stock: String = ballot.run("return link").await?;
            println!(
                "| page | processor | loads, KB | drawn, s | poll shown, s | vote counted, s | slowest, s |"
            );
            println!("| --- | --- | ---: | ---: | ---: | ---: | ---: |");
            for slower in SLOWER {
                for (name, link) in [("hustings", &ours), ("stock PeerJS", &stock)] {
                    let (mut all, mut missing) = (Vec::new(), 0);
                    while all.len() < VOTERS {
                        match vote(world, link, slower).await {
                            Ok(noted) => all.push(noted),
                            // Stock PeerJS does not try again.
                            Err(error) if missing < MISSING => {
                                missing += 1;
                                eprintln!("{name}: somebody is left out: {error:#}");
                            }
                            Err(error) => return Err(error),
                        }
                    }
                    println!("{}", line(name, slower, &all));
                }
            }
            Ok(())
        });
    }

    /// Begins a poll in the app, and returns its link.
    async fn begin(app: &Tab) -> anyhow::Result<String> {
        for (label, text) in [
            ("Question", "Where to?"),
            ("Option 1", "Thai"),
            ("Option 2", "Pizza"),
        ] {
            let field = format!(
                "//input[@id=//label[normalize-space()='{label}']/@for or @aria-label='{label}']"
            );
            app.fill(&field, text).await?;
        }
        app.click("//button[normalize-space()='Create poll']")
            .await?;
        let link = "[...document.querySelectorAll('label')].find(label => label.innerText === 'Link to this poll')?.control.value";
        app.wait_for("the link", link, SOON).await?;
        let hosts = "document.body.innerText.includes('You are the host')";
        app.wait_for("the host to be reached", hosts, SOON).await?;
        app.run(&format!("return {link}")).await
    }

    /// Somebody comes who has not been here, follows the link and votes.
    async fn vote(world: &World, link: &str, slower: u32) -> anyhow::Result<Noted> {
        let person = world.person("a voter").await?;
        let tab = person.open(&Page::blank()).await?;
        tab.devtools("Network.enable", json!({})).await?;
        let conditions = json!({
            "offline": false,
            "latency": LATENCY_MS,
            "downloadThroughput": DOWN_BYTES,
            "uploadThroughput": UP_BYTES,
            "connectionType": "cellular4g",
        });
        tab.devtools("Network.emulateNetworkConditions", conditions)
            .await?;
        tab.devtools("Emulation.setCPUThrottlingRate", json!({ "rate": slower }))
            .await?;
        tab.devtools(
            "Page.addScriptToEvaluateOnNewDocument",
            json!({ "source": VOTER }),
        )
        .await?;
        let click = "const link = document.createElement('a');
            link.href = arg;
            document.body.append(link);
            link.click()";
        tab.run_with::<()>(click, link).await?;
        let is_counted = "window.noted?.counted !== undefined";
        tab.wait_for("the vote to be counted", is_counted, BACK)
            .await?;
        let noted = "const loaded = performance.getEntries().filter(({ transferSize }) => transferSize > 0);
            const bytes = loaded.reduce((sum, { transferSize }) => sum + transferSize, 0);
            return { ...noted, bytes }";
        let noted = tab.run(noted).await?;
        person.kill();
        Ok(noted)
    }

    /// A line of the table: of each figure the median.
    fn line(name: &str, slower: u32, all: &[Noted]) -> String {
        let of = |figure: fn(&Noted) -> f64| {
            let mut figures: Vec<_> = all.iter().map(figure).collect();
            figures.sort_by(f64::total_cmp);
            (
                figures[figures.len() / 2] / 1000.0,
                figures[figures.len() - 1] / 1000.0,
            )
        };
        let processor = match slower {
            1 => "this one".to_owned(),
            slower => format!("{slower} times slower"),
        };
        let (counted, slowest) = of(|noted| noted.counted);
        format!(
            "| {name} | {processor} | {:.0} | {:.1} | {:.1} | {counted:.1} | {slowest:.1} |",
            of(|noted| noted.bytes).0,
            of(|noted| noted.drawn).0,
            of(|noted| noted.shown).0,
        )
    }
}
