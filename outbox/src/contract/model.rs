//! Random operations, compared with a map.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::generator::Generator;
use super::{Harness, contents};
use crate::{Batch, Durability, Store, Write};

const SEEDS: u64 = 6;
const STEPS: u64 = 80;

type Records = BTreeMap<Bytes, Bytes>;

/// The content that a store must have, and the contents that a loss of power may leave.
struct Model {
    now: Records,
    /// The contents after the last strict commit and after each commit since.
    may_survive: Vec<Records>,
}

/// Commits, scans, orderly ends, crashes and losses of power, in any order, leave the content of a
/// map with the same commits.
pub async fn random_operations_match_a_model<H: Harness>() {
    for seed in 0..SEEDS {
        let mut random = Generator::new(seed);
        let mut harness = H::fresh().await;
        let mut model = Model {
            now: Records::new(),
            may_survive: vec![Records::new()],
        };
        for step in 0..STEPS {
            let at = format!("seed {seed}, step {step}");
            match random.below(40) {
                0 => harness = harness.reopen().await,
                1 => harness = harness.crash().await.unwrap_or_else(|as_it_was| as_it_was),
                2 => match harness.lose_power(random.below(1 << 32)).await {
                    Ok(lost) => {
                        harness = lost;
                        let found = contents(&harness.store()).await;
                        assert!(
                            model.may_survive.contains(&found),
                            "{at}: not the contents after any commit since the last strict one"
                        );
                        model.now = found.clone();
                        model.may_survive = vec![found];
                    }
                    Err(as_it_was) => harness = as_it_was,
                },
                3..9 => {
                    let (start, end) = (random.key(), random.key());
                    let found = harness.store().scan(start.clone()..end.clone()).await;
                    let expected: Vec<_> = model
                        .now
                        .iter()
                        .filter(|(key, _)| (&start..&end).contains(key))
                        .map(|(key, value)| (key.clone(), value.clone()))
                        .collect();
                    assert_eq!(found.expect("a scan succeeds"), expected, "{at}");
                }
                9..14 => {
                    let key = random.key();
                    let found = harness.store().get(&key).await;
                    let expected = model.now.get(&key).cloned();
                    assert_eq!(found.expect("a get succeeds"), expected, "{at}");
                }
                _ => {
                    let (batch, durability) = (random.batch(), random.durability());
                    model.commit(&batch, durability);
                    let committed = harness.store().commit(batch, durability).await;
                    committed.expect("a commit succeeds");
                }
            }
            assert!(contents(&harness.store()).await == model.now, "{at}");
        }
    }
}

impl Model {
    fn commit(&mut self, batch: &Batch, durability: Durability) {
        for write in batch.writes() {
            match write {
                Write::Put { key, value } => {
                    self.now.insert(key.clone(), value.clone());
                }
                Write::Delete { key } => {
                    self.now.remove(key);
                }
                Write::DeleteRange { range } => {
                    self.now.retain(|key, _| !range.contains(key));
                }
            }
        }
        match durability {
            Durability::Strict => self.may_survive.clear(),
            Durability::Relaxed => {}
        }
        self.may_survive.push(self.now.clone());
    }
}
