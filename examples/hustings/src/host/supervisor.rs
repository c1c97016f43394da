//! The words for systemd, where it has started this process. Elsewhere nobody listens.

#[cfg(target_os = "linux")]
mod systemd {
    use sd_notify::NotifyState;

    fn tell(state: NotifyState<'_>) {
        // A service that nobody hears works all the same.
        let _ = sd_notify::notify(&[state]);
    }

    pub(in super::super) fn ready() {
        tell(NotifyState::Ready);
    }

    pub(in super::super) fn is_alive() {
        tell(NotifyState::Watchdog);
    }

    pub(in super::super) fn stopping() {
        tell(NotifyState::Stopping);
    }
}

#[cfg(not(target_os = "linux"))]
mod systemd {
    pub(in super::super) fn ready() {}

    pub(in super::super) fn is_alive() {}

    pub(in super::super) fn stopping() {}
}

pub(super) use systemd::{is_alive, ready, stopping};
