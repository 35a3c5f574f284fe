// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A physical function whose Interrupt Message Store is an irq domain of the guest's
//! own kernel: it writes the messages, and engines raise them by handles.

use super::super::device::{Kind, Vector};
use super::super::machine::Unit;
use super::super::machine::console::Values;
use super::super::report::Report;
use super::dsa::{Guest, Looks};
use super::{Setting, dsa};
use crate::failure::Failure;

pub(crate) const NAME: &str = "guest-ims";

/// What a CPU has for devices is about 200 vectors; 2048 need 11 CPUs, and timers
/// and a kernel's own devices some more.
const CPUS: u32 = 12;

/// Entries of the store.
const ENTRIES: u64 = 2048;

/// The handle that the guest's module knows to be absent, and the reason with
/// which a unit refuses it (VT-d: 22h, the entry's Present is clear).
const ABSENT: (u32, u8) = (0xfff0, 0x22);

/// What the guest does, in order.
const ORDER: [&str; 9] = [
    "enabled",
    "spread",
    "look-spread",
    "move",
    "hold",
    "reuse",
    "released",
    "absent",
    "look-end",
];

/// What must come of it.
const TESTS: [(&str, &[(&str, &str)]); 7] = [
    (
        "enabled",
        &[
            ("slots", "2048"),
            ("engines", "4"),
            ("queue", "128"),
            ("handles", "requested"),
        ],
    ),
    ("spread", &[("interrupts", "2048"), ("cpus", "12")]),
    ("move", &[("moves", "32"), ("slot", "unchanged")]),
    ("hold", &[("raised", "2"), ("delivered", "1")]),
    ("reuse", &[("rounds", "4")]),
    ("released", &[("status", "19")]),
    ("absent", &[("handle", "fff0")]),
];

/// Boots and tests.
///
/// # Errors
/// If the guest or the server does not do what it must for checks to be made.
pub(crate) fn run(setting: &Setting<'_>, report: &mut Report) -> Result<(), Failure> {
    let mut served = dsa::serve(setting, &["--physical"])?;
    let guest = Guest {
        initramfs: &setting.guests.store,
        cpus: CPUS,
        unit: Unit::Remapping,
        order: &ORDER,
    };
    let (mut story, looks) = dsa::boot(setting, &mut served, NAME, guest)?;
    story.tests(NAME, &TESTS, report);
    story.faults(NAME, &[ABSENT], report);
    report.add(NAME, "the server delivered each twice", spread(&looks));
    report.add(NAME, "the server counts the rest", rest(&looks));
    story.end(NAME, report);
    Ok(())
}

/// What the server counted of the store's entries, one after the other.
fn entries<'a>(looks: &'a Looks, look: &str) -> Result<Vec<&'a Vector>, String> {
    let told = looks.get(look);
    let told = told.ok_or_else(|| format!("{look}: nothing was told"))?;
    let of_store = |vector: &&Vector| vector.kind == Kind::Ims;
    Ok(told.vectors.iter().filter(of_store).collect())
}

/// Every entry was raised and delivered by a descriptor and by a batch, and none was
/// lost or met another.
fn spread(looks: &Looks) -> Result<Values, String> {
    let entries = entries(looks, "look-spread")?;
    let twice = |entry: &Vector| {
        (entry.raised, entry.delivered) == (2, 2)
            && [entry.coalesced, entry.held, entry.faulted, entry.dropped] == [0; 4]
    };
    if let Some(other) = entries.iter().find(|entry| !twice(entry)) {
        return Err(format!("not twice: {other:?}"));
    }
    let mut indices: Vec<u64> = entries.iter().filter_map(|entry| entry.index).collect();
    indices.sort_unstable();
    if indices.iter().copied().eq(0..ENTRIES) {
        Ok(Values::from([("entries".to_owned(), ENTRIES.to_string())]))
    } else {
        Err(format!("{} entries, must be {ENTRIES}", indices.len()))
    }
}

/// One raise was held, one met it, one was refused; nobody has a handle any more.
fn rest(looks: &Looks) -> Result<Values, String> {
    let entries = entries(looks, "look-end")?;
    let sum = |of: fn(&Vector) -> u64| -> u64 { entries.iter().map(|entry| of(entry)).sum() };
    let (held, coalesced) = (sum(|entry| entry.held), sum(|entry| entry.coalesced));
    let (faulted, dropped) = (sum(|entry| entry.faulted), sum(|entry| entry.dropped));
    if (held, coalesced, faulted, dropped) != (1, 1, 1, 0) {
        return Err(format!(
            "{held} held, {coalesced} coalesced, {faulted} faulted, {dropped} dropped"
        ));
    }
    // Each that was raised was delivered, but for the one that met another and the
    // one that was refused.
    let (raised, delivered) = (sum(|entry| entry.raised), sum(|entry| entry.delivered));
    if raised != delivered + 2 {
        return Err(format!("{raised} raised, {delivered} delivered"));
    }
    match entries
        .iter()
        .filter(|entry| entry.handle.is_some())
        .count()
    {
        0 => Ok(Values::from([(
            "delivered".to_owned(),
            delivered.to_string(),
        )])),
        left => Err(format!("{left} handles were not given back")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::device::Device;
    use super::*;

    fn looks(name: &str, vectors: Vec<Vector>) -> Looks {
        let device = Device {
            vectors,
            ..Device::default()
        };
        Looks::from([(name.to_owned(), device)])
    }

    fn entry(index: u64, raised: u64, delivered: u64) -> Vector {
        Vector {
            kind: Kind::Ims,
            index: Some(index),
            raised,
            delivered,
            ..Vector::default()
        }
    }

    /// Every entry, with `change` made to the one of index 7.
    fn store(change: impl Fn(&mut Vector)) -> Looks {
        let mut entries: Vec<_> = (0..ENTRIES).map(|index| entry(index, 2, 2)).collect();
        change(&mut entries[7]);
        // Its miscellaneous vector is none of the store.
        entries.push(Vector {
            raised: 1,
            ..Vector::default()
        });
        looks("look-spread", entries)
    }

    #[test]
    fn every_entry_must_be_delivered_twice() {
        assert_eq!(spread(&store(|_| ())).unwrap()["entries"], "2048");
        assert!(spread(&store(|entry| entry.raised = 3)).is_err());
        assert!(spread(&store(|entry| entry.delivered = 1)).is_err());
        assert!(spread(&store(|entry| entry.held = 1)).is_err());
        assert!(spread(&store(|entry| entry.faulted = 1)).is_err());
        assert!(spread(&store(|entry| entry.index = Some(6))).is_err());
        assert!(spread(&store(|entry| entry.kind = Kind::MsiX)).is_err());
        assert!(spread(&Looks::new()).is_err());
    }

    #[test]
    fn what_was_held_refused_or_kept_must_be_what_the_guest_did() {
        let end = |change: fn(&mut Vector)| {
            let mut held = entry(0, 2, 1);
            (held.held, held.coalesced) = (1, 1);
            let mut refused = entry(1, 1, 0);
            refused.faulted = 1;
            change(&mut refused);
            rest(&looks("look-end", vec![held, refused, entry(2, 5, 5)]))
        };
        assert_eq!(end(|_| ()).unwrap()["delivered"], "6");
        assert!(end(|entry| entry.faulted = 2).is_err());
        assert!(end(|entry| entry.raised = 2).is_err());
        assert!(end(|entry| entry.handle = Some(1)).is_err());
    }

    #[test]
    fn all_that_is_done_is_checked() {
        let done = ORDER.iter().filter(|name| !name.starts_with("look-"));
        assert!(done.eq(TESTS.iter().map(|(name, _)| name)));
    }

    #[test]
    fn the_number_of_cpus_is_the_one_that_is_checked() {
        let spread = TESTS.iter().find(|test| test.0 == "spread").unwrap();
        assert!(spread.1.contains(&("cpus", &CPUS.to_string()[..])));
    }
}
