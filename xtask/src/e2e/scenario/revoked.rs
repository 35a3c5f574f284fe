// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A virtual DSA whose interrupt handles the host takes back while the kernel's
//! test copies with it: what a host does that moves a guest's interrupts to other
//! entries of the store.
//!
//! ```text
//!   host    revoke ───────────┐   revoke …
//!   guest   copies ─ waits ─ asks again ─ submits once more ─ copies
//! ```
//!
//! The driver learns of it by an interrupt of vector 0, has what was submitted with
//! the old handle (status 0x19) submitted again, and drains the queue by a descriptor
//! with the new one, if its number is another: so it must be, whoever looks at the host
//! meanwhile and has it tidy up. None of the test's copies may fail or be late, and each comes
//! with one interrupt. A second device beside it, enabled and idle, must see nothing.
//!
//! Once for each time a queue is enabled: from Linux 7.0 on the driver releases a
//! queue's handle when the test ends (`device_terminate_all`) and asks for none until
//! the queue is enabled again, so that a second test on it has no interrupts.

use super::super::device::{Served, Vector};
use super::super::machine::console::{Message, Values};
use super::super::machine::{Config, Vm};
use super::super::report::Report;
use super::story::Story;
use super::{Boot, Setting};
use crate::failure::Failure;
use std::thread;
use std::time::{Duration, Instant};

pub(crate) const NAME: &str = "revoked";

/// With the newer kernel.
pub(crate) const NEWER: &str = "revoked-newer";

/// Whose handles are taken back, and who must see nothing.
const DEVICE: &str = "vdsa0";
const NEIGHBOUR: &str = "vdsa1";

/// How often handles are taken back while the test runs.
const TIMES: u32 = 10;

/// How long the test copies in between.
const PAUSE: Duration = Duration::from_millis(50);

/// How long a driver may take to ask again. It is busy, and emulated.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the guest does, in order. In the end the device is taken from its driver
/// and given back, and works.
const ORDER: [&str; 11] = [
    "helper:selftest=0",
    "driver",
    "bind",
    "virtual",
    "virtual:device=dsa1:as=neighbour",
    "dmatest:iterations=6000:patience=120000:announce=1",
    "counts",
    "look",
    "rebind",
    "virtual:as=virtual-again",
    "dmatest:as=dmatest-again",
];

/// What must come of it.
const TESTS: [(&str, &[(&str, &str)]); 11] = [
    ("helper", &[("way", "ud")]),
    ("driver", &[("bus", "1")]),
    ("bind", &[]),
    ("virtual", &[("configurable", "0"), ("enabled", "1")]),
    ("neighbour", &[("configurable", "0"), ("enabled", "1")]),
    ("dmatest", &[("iterations", "6000"), ("failures", "0")]),
    ("counts", &[]),
    ("look", &[]),
    ("rebind", &[]),
    ("virtual-again", &[("enabled", "1")]),
    ("dmatest-again", &[("iterations", "100"), ("failures", "0")]),
];

/// The test during which handles are taken back, and how many copies it makes.
const DURING: &str = "dmatest";
const COPIES: u64 = 6000;

/// When the guest does nothing.
const REST: &str = "look";

/// The vector of commands and events; all others are of queues.
const MISCELLANEOUS: u64 = 0;

/// Boots and tests.
///
/// # Errors
/// If the guest or the server does not do what it must for checks to be made.
pub(crate) fn run(setting: &Setting<'_>, report: &mut Report) -> Result<(), Failure> {
    with(NAME, setting.dsa(), setting, report)
}

/// The same with the newer kernel, if there is one.
///
/// # Errors
/// As [`run`].
pub(crate) fn newer(setting: &Setting<'_>, report: &mut Report) -> Result<(), Failure> {
    let boot = setting.newer_dsa();
    boot.map_or(Ok(()), |boot| with(NEWER, boot, setting, report))
}

fn with(
    name: &'static str,
    boot: Boot<'_>,
    setting: &Setting<'_>,
    report: &mut Report,
) -> Result<(), Failure> {
    let (mut served, sockets) = Served::virtual_devices(setting.ims, setting.place.path(), 2)?;
    let devices: Vec<_> = sockets.iter().map(|socket| &**socket).collect();
    let mut vm = Vm::start(&Config {
        image: boot.image,
        devices: &devices,
        ..setting.config(boot.initramfs, &ORDER)
    })?;
    let told = listen(&mut vm, &served, setting);
    setting.keep(&format!("{name}.log"), vm.console());
    setting.keep(&format!("{name}-server.log"), served.server.text());
    let (mut story, seen) = told?;
    story.tests(name, &TESTS, report);
    report.add(name, "revocations", seen.revocations());
    report.add(name, "interrupts", seen.interrupts());
    report.add(name, "neighbour's interrupts", seen.neighbours());
    story.end(name, report);
    vm.ended_well()?;
    if served.server.runs() {
        return Ok(());
    }
    Err(vm.failure(&format!(
        "the device server ended: {}",
        served.server.text()
    )))
}

fn listen(
    vm: &mut Vm,
    served: &Served<'_>,
    setting: &Setting<'_>,
) -> Result<(Story, Seen), Failure> {
    let mut story = Story::default();
    let mut seen = Seen::default();
    while let Some(message) = vm.next(setting.progress)? {
        match &message {
            Message::Ready { test } if test == DURING => revoke(served, &mut seen)?,
            Message::Ready { test } if test == REST => {
                seen.device = served.device(DEVICE)?.vectors;
                seen.neighbour = served.device(NEIGHBOUR)?.vectors;
            }
            Message::Test { name, result } => {
                let number = |key| number(result.as_ref().ok()?, key);
                match &name[..] {
                    DURING => seen.requests = number("handles"),
                    "counts" => seen.taken = number("v1"),
                    _ => {}
                }
            }
            _ => {}
        }
        story.hear(message);
    }
    Ok((story, seen))
}

/// Takes back all handles, again and again, each time those that were asked for
/// anew.
fn revoke(served: &Served<'_>, seen: &mut Seen) -> Result<(), Failure> {
    for _ in 0..TIMES {
        thread::sleep(PAUSE);
        let Some(handle) = handle(served)? else {
            return Ok(());
        };
        seen.handles.push(handle);
        served.revoke(DEVICE)?;
        // At once: after a look the host may give the entry that was freed again.
        served.device(DEVICE)?;
    }
    // The last one, too, is made good while the test runs.
    seen.last = handle(served)?;
    Ok(())
}

/// The handle the driver has of its queue's vector, when it has one.
fn handle(served: &Served<'_>) -> Result<Option<u64>, Failure> {
    let begin = Instant::now();
    while begin.elapsed() < PATIENCE {
        let vectors = served.device(DEVICE)?.vectors;
        if let Some(handle) = vectors.iter().find_map(|vector| vector.handle) {
            return Ok(Some(handle));
        }
        thread::sleep(Duration::from_millis(10));
    }
    Ok(None)
}

fn number(values: &Values, name: &str) -> Option<u64> {
    values.get(name)?.parse().ok()
}

/// What was seen from outside.
#[derive(Debug, Default)]
struct Seen {
    /// The handles that were taken back.
    handles: Vec<u64>,
    /// The one that was not.
    last: Option<u64>,
    /// How many the driver was given while the test ran, by its own account.
    requests: Option<u64>,
    /// Interrupts of queues that the guest took.
    taken: Option<u64>,
    /// Vectors when the test was over.
    device: Vec<Vector>,
    neighbour: Vec<Vector>,
}

impl Seen {
    /// Handles were taken back as often as was meant, each one made good before
    /// the test was over, by one that its driver could tell from it.
    fn revocations(&self) -> Result<Values, String> {
        let (revoked, requests) = (self.handles.len(), self.requests.unwrap_or(0));
        if revoked != usize::try_from(TIMES).unwrap_or(usize::MAX) {
            return Err(format!(
                "the driver asked for no handle after {revoked} of {TIMES} revocations"
            ));
        }
        if requests != u64::from(TIMES) {
            return Err(format!(
                "the driver was given {requests} handles during the test, must be {TIMES}"
            ));
        }
        let later = self.handles.iter().skip(1).chain(&self.last);
        if let Some((handle, _)) = self.handles.iter().zip(later).find(|(a, b)| a == b) {
            return Err(format!(
                "handle {handle} was taken back and given again: the driver cannot see that"
            ));
        }
        Ok(values(&[
            ("revoked", revoked as u64),
            ("requests", requests),
        ]))
    }

    /// None was lost on any of the ways it went, none was made up, and none was
    /// refused: each copy has one, and one may come of each drain.
    fn interrupts(&self) -> Result<Values, String> {
        let taken = self.taken.unwrap_or(0);
        let most = COPIES.saturating_add(TIMES.into());
        if !(COPIES..=most).contains(&taken) {
            return Err(format!(
                "the guest took {taken}, must be {COPIES} to {most}"
            ));
        }
        if self.device.iter().any(|vector| vector.faulted != 0) {
            return Err(format!("refused: {:?}", self.device));
        }
        Ok(values(&[("taken", taken), ("copies", COPIES)]))
    }

    /// Nothing was raised for who does nothing.
    fn neighbours(&self) -> Result<Values, String> {
        let queues = self.neighbour.iter();
        let queues: Vec<_> = queues
            .filter(|vector| vector.number != MISCELLANEOUS)
            .collect();
        let quiet = |vector: &&Vector| {
            vector.handle.is_some()
                && (vector.raised, vector.delivered, vector.faulted) == (0, 0, 0)
        };
        if queues.is_empty() || !queues.iter().all(quiet) {
            return Err(format!("{:?}", self.neighbour));
        }
        Ok(values(&[("raised", 0)]))
    }
}

fn values(pairs: &[(&str, u64)]) -> Values {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.to_string()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::super::device::Kind;
    use super::*;

    fn vector(number: u64, raised: u64, faulted: u64) -> Vector {
        Vector {
            kind: Kind::Ims,
            number,
            index: Some(number),
            handle: (number != MISCELLANEOUS).then_some(number),
            raised,
            delivered: raised,
            faulted,
            ..Vector::default()
        }
    }

    fn seen(revoked: usize, requests: u64) -> Seen {
        Seen {
            handles: [1, 2].into_iter().cycle().take(revoked).collect(),
            last: Some(3),
            requests: Some(requests),
            taken: Some(COPIES + 2),
            device: vec![vector(0, 30, 0), vector(1, 400, 0)],
            neighbour: vec![vector(0, 3, 0), vector(1, 0, 0)],
        }
    }

    #[test]
    fn every_revocation_must_be_made_good() {
        assert!(seen(10, 10).revocations().is_ok());
        assert!(seen(9, 9).revocations().is_err());
        assert!(seen(10, 9).revocations().is_err());
        assert!(Seen::default().revocations().is_err());
    }

    #[test]
    fn a_handle_made_good_must_have_another_number() {
        let mut again = seen(10, 10);
        again.handles[4] = again.handles[3];
        assert!(again.revocations().is_err());
        let mut last = seen(10, 10);
        last.last = last.handles.last().copied();
        assert!(last.revocations().is_err());
    }

    #[test]
    fn interrupts_must_arrive_at_their_own_device_and_no_other() {
        let good = seen(10, 10);
        assert!(good.interrupts().is_ok() && good.neighbours().is_ok());
        let mut strayed = seen(10, 10);
        strayed.neighbour = vec![vector(1, 1, 0)];
        assert!(strayed.neighbours().is_err());
        let mut refused = seen(10, 10);
        refused.device = vec![vector(1, 5, 1)];
        assert!(refused.interrupts().is_err());
        for taken in [None, Some(COPIES - 1), Some(COPIES + 11)] {
            let mut wrong = seen(10, 10);
            wrong.taken = taken;
            assert!(wrong.interrupts().is_err(), "{taken:?}");
        }
        let mut gone = seen(10, 10);
        gone.neighbour = vec![vector(0, 3, 0)];
        assert!(gone.neighbours().is_err());
        assert!(Seen::default().interrupts().is_err());
        assert!(Seen::default().neighbours().is_err());
    }

    #[test]
    fn all_that_is_done_is_checked() {
        for (verb, (name, _)) in ORDER.iter().zip(TESTS) {
            let plain = verb.split(':').next().unwrap();
            let said = verb.split(":as=").nth(1).unwrap_or(plain);
            assert_eq!(said, name);
        }
    }
}
