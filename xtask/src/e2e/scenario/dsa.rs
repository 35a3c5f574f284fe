// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A guest with one served DSA, and whether both counted the same.

use super::super::device::{Device, Served};
use super::super::machine::console::{Message, Values};
use super::super::machine::{Config, Unit, Vm};
use super::super::report::Report;
use super::Setting;
use super::story::Story;
use crate::failure::Failure;
use std::collections::BTreeMap;
use std::path::Path;

/// What the server calls its device: it is named after the socket.
const DEVICE: &str = "device";

/// What the server told while the guest was at rest, by the name of the rest.
pub(super) type Looks = BTreeMap<String, Device>;

/// `ims serve` with `arguments` and one device.
///
/// # Errors
/// If it does not serve.
pub(super) fn serve<'a>(setting: &Setting<'a>, arguments: &[&str]) -> Result<Served<'a>, Failure> {
    let place = setting.place.path();
    Served::one(setting.ims, place, &place.join(DEVICE), arguments)
}

/// What the server tells of the device.
///
/// # Errors
/// If it does not answer.
pub(super) fn look(served: &Served<'_>) -> Result<Device, Failure> {
    served.device(DEVICE)
}

/// A guest that has the device.
#[derive(Debug, Clone, Copy)]
pub(super) struct Guest<'a> {
    pub(super) initramfs: &'a Path,
    pub(super) cpus: u32,
    pub(super) unit: Unit,
    /// What it does, in order.
    pub(super) order: &'a [&'a str],
}

impl<'a> Guest<'a> {
    /// One with the kernel's own driver, behind a unit as `ims serve` advises for a
    /// physical function.
    pub(super) fn stock(setting: &Setting<'a>, order: &'a [&'a str]) -> Self {
        Self {
            initramfs: &setting.guests.dsa,
            cpus: 2,
            unit: Unit::Remapping,
            order,
        }
    }

    /// Without one, as it advises for a virtual device.
    pub(super) fn plain(self) -> Self {
        Self {
            unit: Unit::Absent,
            ..self
        }
    }

    /// Starts it.
    ///
    /// # Errors
    /// [`Failure::Start`].
    pub(super) fn power_on(&self, setting: &Setting<'_>) -> Result<Vm, Failure> {
        let socket = setting.place.path().join(DEVICE);
        Vm::start(&Config {
            devices: &[&socket],
            unit: self.unit,
            cpus: self.cpus,
            ..setting.config(self.initramfs, self.order)
        })
    }
}

/// Boots a guest; whenever it waits for being looked at, the server is asked while the
/// guest stands still.
///
/// # Errors
/// If the guest or the server does not come to its end.
pub(super) fn boot(
    setting: &Setting<'_>,
    served: &mut Served<'_>,
    name: &str,
    guest: Guest<'_>,
) -> Result<(Story, Looks), Failure> {
    let mut vm = guest.power_on(setting)?;
    let told = listen(setting, served, &mut vm);
    setting.keep(&format!("{name}.log"), vm.console());
    setting.keep(&format!("{name}-server.log"), served.server.text());
    let told = told?;
    vm.ended_well()?;
    if served.server.runs() {
        return Ok(told);
    }
    let said = served.server.text();
    Err(vm.failure(&format!("the server ended: {said}")))
}

fn listen(
    setting: &Setting<'_>,
    served: &Served<'_>,
    vm: &mut Vm,
) -> Result<(Story, Looks), Failure> {
    let (mut story, mut looks) = (Story::default(), Looks::new());
    while let Some(message) = vm.next(setting.progress)? {
        if let Message::Ready { test } = &message {
            let mut told = None;
            vm.paused(|| told = Some(look(served)))?;
            if let Some(told) = told {
                looks.insert(test.clone(), told?);
            }
        }
        story.hear(message);
    }
    Ok((story, looks))
}

/// Reports whether the interrupts that the guest counted, by vector, are those the
/// server delivered. They are where none is raised before the one before it was
/// taken: those that come together are one to a CPU.
pub(super) fn agree(
    scenario: &'static str,
    guest: Option<&Values>,
    server: Option<&Device>,
    report: &mut Report,
) {
    let result = match (guest, server) {
        (Some(guest), Some(server)) => compare(guest, server),
        _ => Err("one of both told nothing".to_owned()),
    };
    report.add(scenario, "both count the same", result);
}

fn compare(guest: &Values, server: &Device) -> Result<Values, String> {
    let delivered: BTreeMap<u64, u64> = server
        .vectors
        .iter()
        .filter(|vector| vector.delivered > 0)
        .map(|vector| (vector.number, vector.delivered))
        .collect();
    let taken: BTreeMap<u64, u64> = guest
        .iter()
        .filter_map(|(name, count)| Some((name.strip_prefix('v')?.parse().ok()?, count)))
        .filter_map(|(vector, count)| Some((vector, count.parse().ok()?)))
        .filter(|(_, count)| *count > 0)
        .collect();
    if taken.is_empty() {
        return Err("no interrupt was counted".to_owned());
    }
    if taken == delivered {
        let total: u64 = taken.values().sum();
        return Ok(Values::from([("interrupts".to_owned(), total.to_string())]));
    }
    Err(format!(
        "the guest took {taken:?}, the server delivered {delivered:?}"
    ))
}

#[cfg(test)]
mod tests {
    use super::super::super::device::{Kind, Vector};
    use super::*;

    fn guest(pairs: &[(&str, &str)]) -> Values {
        let pairs = pairs.iter();
        pairs
            .map(|(name, count)| ((*name).to_owned(), (*count).to_owned()))
            .collect()
    }

    fn server(delivered: &[u64]) -> Device {
        let vectors = (0..).zip(delivered).map(|(number, delivered)| Vector {
            kind: Kind::MsiX,
            number,
            raised: *delivered,
            delivered: *delivered,
            ..Vector::default()
        });
        Device {
            vectors: vectors.collect(),
            ..Device::default()
        }
    }

    #[test]
    fn counts_agree_vector_by_vector_and_none_is_made_up() {
        let told = server(&[3, 5, 0]);
        let good = guest(&[("v0", "3"), ("v1", "5"), ("total", "8")]);
        assert_eq!(compare(&good, &told).unwrap()["interrupts"], "8");
        assert!(compare(&guest(&[("v0", "3"), ("v1", "6")]), &told).is_err());
        assert!(compare(&guest(&[("v0", "3")]), &told).is_err());
        assert!(compare(&guest(&[("v0", "3"), ("v2", "1")]), &told).is_err());
        assert!(compare(&guest(&[]), &server(&[])).is_err());
    }
}
