//! The page's clock and its timers.

use std::time::Duration;

use futures::FutureExt;
use futures::future::join_all;
use hustings_room::Moment;
use hustings_room::clock::{Clock, SystemClock, unix_millis};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_test::wasm_bindgen_test;

#[wasm_bindgen_test]
async fn whoever_sleeps_until_a_moment_wakes_when_the_clock_has_reached_it() {
    let clock = SystemClock::new();
    assert!(clock.now() < Moment::from_millis(10_000));
    let sleeps = [30_u64, 0, 20, 1].map(|millis| {
        let moment = clock.now() + Duration::from_millis(millis);
        let (sleep, clock) = (clock.sleep_until(moment), clock.clone());
        async move {
            sleep.await;
            assert!(clock.now() >= moment, "{millis} ms");
        }
    });
    join_all(sleeps).await;

    let hour = clock.now() + Duration::from_secs(3_600);
    assert!(clock.sleep_until(hour).now_or_never().is_none());
}

#[wasm_bindgen_test]
fn the_wall_clock_is_in_this_century() {
    let millis = unix_millis();
    assert!((1_700_000_000_000..4_000_000_000_000).contains(&millis));
}

/// The page's clock shows this while it lives.
struct Shows(js_sys::Function);

impl Shows {
    fn millis(millis: &str) -> Self {
        let set = js_sys::Function::new_no_args(&format!(
            "const old = Date.now; Date.now = () => {millis}; return old;"
        ));
        let old = set.call0(&JsValue::UNDEFINED).unwrap();
        Self(old.dyn_into().unwrap())
    }
}

impl Drop for Shows {
    fn drop(&mut self) {
        let set = js_sys::Function::new_with_args("old", "Date.now = old;");
        let _ = set.call1(&JsValue::UNDEFINED, &self.0);
    }
}

/// As after a night in which `performance.now()` stood still.
#[wasm_bindgen_test]
async fn a_night_in_which_the_monotonic_clock_stood_still_has_passed() {
    let night = Duration::from_secs(8 * 3_600);
    let clock = SystemClock::new();
    let (evening, wall) = (clock.now(), unix_millis());
    let mut sleeper = clock.sleep_until(evening + night);
    assert!((&mut sleeper).now_or_never().is_none());
    let _morning = Shows::millis(&(wall + 8 * 3_600_000 + 3_000).to_string());
    assert!(clock.now() >= evening + night);
    assert!(
        clock.clone().now() < evening + night + Duration::from_secs(60),
        "once"
    );
    // It looks at the clock after ten seconds at most, however far its own timer had to go.
    sleeper.await;
    // And a wall clock that goes back takes nothing back.
    let _evening = Shows::millis(&wall.to_string());
    assert!(clock.now() >= evening + night);
}

#[wasm_bindgen_test]
fn a_wall_clock_before_1970_or_out_of_its_mind_is_read_all_the_same() {
    for (shown, read) in [
        ("-1", 0),
        ("-8.64e15", 0),
        ("NaN", 0),
        ("-Infinity", 0),
        ("1234.9", 1_234),
        ("8.64e15", 8_640_000_000_000_000),
    ] {
        let _clock = Shows::millis(shown);
        assert_eq!(unix_millis(), read, "{shown}");
    }
}
