//! `cargo xtask bench --browser`: the transport against stock PeerJS, between two browsers, in the
//! same run.
//!
//! Both do the same, in turn, on new connections: 198 bytes there and back, and 198 bytes one after
//! the other in one direction, which the other side acknowledges at the end. Single runs vary by a
//! factor of two with what else the machine does. So there are medians, and the ratio is the median
//! of the ratios of each round, whose two halves had the same machine.

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
    use hustings_e2e::{Person, Tab, World, scenario};
    use serde::Deserialize;
    use serde_json::json;

    /// The rounds in which each of the two is measured.
    const ROUNDS: usize = 15;

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
    }

    pub(super) fn run() {
        scenario(async |world| {
            let (ann, bob) = (world.person("ann").await?, world.person("bob").await?);
            let ours = Side::open(world, "ours.html", [&ann, &bob]).await?;
            let stock = Side::open(world, "stock.html", [&ann, &bob]).await?;
            let (mut of_ours, mut of_stock) = (Vec::new(), Vec::new());
            // The first round compiles what the others run.
            ours.measure().await?;
            stock.measure().await?;
            for round in 0..ROUNDS {
                // Neither always comes first.
                if round % 2 == 0 {
                    of_ours.push(ours.measure().await?);
                    of_stock.push(stock.measure().await?);
                } else {
                    of_stock.push(stock.measure().await?);
                    of_ours.push(ours.measure().await?);
                }
            }
            println!("                         ours     stock     ratio      goal");
            let line = |what, of: fn(&Round) -> f64, goal| {
                let pairs = of_ours.iter().zip(&of_stock);
                let ratio = median(pairs.map(|(ours, stock)| of(ours) / of(stock)));
                let (ours, stock) = (
                    median(of_ours.iter().map(of)),
                    median(of_stock.iter().map(of)),
                );
                println!("{what:<20} {ours:>8.1}  {stock:>8.1}  {ratio:>8.2}  {goal:>8}");
            };
            line("open, ms", |round| round.opening, "<= 1.25");
            line("round trips / s", |round| round.round_trips, ">= 0.9");
            line("messages / s", |round| round.messages, ">= 0.9");
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

        async fn measure(&self) -> anyhow::Result<Round> {
            let how = json!({
                "to": self.address,
                "roundTrips": ROUND_TRIPS,
                "messages": MESSAGES,
            });
            self.dialling.run_with("return measure(arg)", how).await
        }
    }

    fn median(values: impl Iterator<Item = f64>) -> f64 {
        let mut values: Vec<_> = values.collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    }
}
