// SPDX-License-Identifier: Apache-2.0 OR MIT
//! QEMU with a Linux guest, whose interrupts come from a device of ours.

use super::{Part, Presence, WhenMissing};
use crate::e2e;

pub(crate) const PART: Part = Part {
    name: "QEMU and a Linux guest",
    needs: "QEMU 10.1 and a kernel, which `cargo xtask e2e` fetches",
    when_missing: WhenMissing::Fail,
    probe: |real| presence(real, e2e::needs_fetching(), e2e::cannot_fetch),
    run: e2e::check,
};

/// Nothing is downloaded unless somebody asked for real parts.
fn presence(
    real: bool,
    needs_fetching: Option<String>,
    cannot_fetch: impl Fn() -> Option<String>,
) -> Presence {
    match needs_fetching {
        None => Presence::Available,
        Some(reason) if !real => Presence::Missing(reason),
        Some(reason) => match cannot_fetch() {
            None => Presence::Available,
            Some(why) => Presence::Missing(format!("{reason}; {why}")),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_must_be_fetched_is_there_only_if_real_parts_are_asked_for() {
        let absent = || Some("not in the cache".to_owned());
        let never = || -> Option<String> { panic!("asked for nothing") };
        assert_eq!(presence(false, None, never), Presence::Available);
        assert_eq!(presence(true, None, never), Presence::Available);
        assert!(matches!(
            presence(false, absent(), never),
            Presence::Missing(_)
        ));
        assert_eq!(presence(true, absent(), || None), Presence::Available);
        let Presence::Missing(reason) = presence(true, absent(), || Some("no mirror".to_owned()))
        else {
            panic!("it cannot be fetched");
        };
        assert!(
            reason.contains("no mirror") && reason.contains("cache"),
            "{reason}"
        );
    }
}
