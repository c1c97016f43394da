//! `cargo xtask bench --browser`: the transport against stock PeerJS, between two browsers, in the
//! same run.
//!
//! Both do the same, in turn, on new connections: 198 bytes there and back, and 198 bytes one after
//! the other in one direction, which the other side acknowledges at the end. Stock PeerJS does it
//! twice: with `raw`, which sends texts as they are, as this transport does, and with `json`, which
//! writes and reads JSON itself. Single runs vary by a factor of two with what else the machine
//! does. So there are medians, and the ratio is the median of the ratios of each round, whose parts
//! had the same machine.

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
    use anyhow::Context;
    use hustings_e2e::{Person, Tab, World, median, scenario};
    use serde::Deserialize;
    use serde_json::json;

    /// The rounds in which each of the two is measured.
    const ROUNDS: usize = 15;

    /// The ways that are measured in each round: this transport, and stock PeerJS with its
    /// serializations.
    const WAYS: [&str; 3] = ["ours", "raw", "json"];

    /// The messages that go there and back in a round.
    const ROUND_TRIPS: u32 = 1_000;

    /// The messages in one direction: fewer than either of them would wait with.
    const MESSAGES: u32 = 20_000;

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Round {
        /// Milliseconds.
        opening: f64,
        /// In a second.
        round_trips: f64,
        /// In a second.
        messages: f64,
        /// Of a message, with all that WebRTC puts around it.
        bytes: f64,
    }

    pub(super) fn run() {
        scenario(async |world| {
            let (ann, bob) = (world.person("ann").await?, world.person("bob").await?);
            let ours = Side::open(world, "ours.html", [&ann, &bob]).await?;
            let stock = Side::open(world, "stock.html", [&ann, &bob]).await?;
            let mut rounds: Vec<[Round; 3]> = Vec::new();
            // The first round compiles what the others run.
            for number in 0..=ROUNDS {
                let mut round = [None, None, None];
                for turn in 0..WAYS.len() {
                    // Nobody always comes first.
                    let way = (number + turn) % WAYS.len();
                    let side = if way == 0 { &ours } else { &stock };
                    round[way] = Some(side.measure(WAYS[way]).await?);
                }
                if let [Some(ours), Some(raw), Some(json)] = round
                    && number > 0
                {
                    rounds.push([ours, raw, json]);
                }
            }
            println!(
                "| | ours | PeerJS, raw | PeerJS, json | ratio to raw | to json | goal, to raw |"
            );
            println!("| --- | ---: | ---: | ---: | ---: | ---: | --- |");
            let line = |what, of: fn(&Round) -> f64, goal| {
                let median_of = |way: usize| median(rounds.iter().map(|round| of(&round[way])));
                let ratio =
                    |way: usize| median(rounds.iter().map(|round| of(&round[0]) / of(&round[way])));
                println!(
                    "| {what} | {:.1} | {:.1} | {:.1} | {:.2} | {:.2} | {goal} |",
                    median_of(0),
                    median_of(1),
                    median_of(2),
                    ratio(1),
                    ratio(2)
                );
            };
            line(
                "until it is open, ms",
                |round| round.opening,
                "at most 1.25",
            );
            line(
                "round trips in a second",
                |round| round.round_trips,
                "at least 0.9",
            );
            line(
                "messages in a second",
                |round| round.messages,
                "at least 0.9",
            );
            line("bytes of a message of 198", |round| round.bytes, "");
            Ok(())
        });
    }

    /// A page that is open in two browsers, and an address that the one in the first answers at.
    struct Side {
        _answering: Tab,
        dialling: Tab,
        address: String,
    }

    impl Side {
        async fn open(world: &World, page: &str, people: [&Person; 2]) -> anyhow::Result<Self> {
            let page = world.page(page);
            let answering = people[0].open(&page).await?;
            Ok(Self {
                address: answering.run("return serve()").await?,
                _answering: answering,
                dialling: people[1].open(&page).await?,
            })
        }

        async fn measure(&self, way: &str) -> anyhow::Result<Round> {
            let how = json!({
                "to": self.address,
                // This transport has only the one.
                "serialization": way,
                "roundTrips": ROUND_TRIPS,
                "messages": MESSAGES,
            });
            let measured = self.dialling.run_with("return measure(arg)", how).await;
            measured.with_context(|| format!("{way}, in a round"))
        }
    }
}
