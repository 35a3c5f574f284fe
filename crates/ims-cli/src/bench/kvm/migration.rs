// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Saving all devices of a VM, and restoring them in another.

use super::super::Outcome;
use super::super::descriptors::shortage;
use super::super::row::Row;
use super::super::still::Still;
use super::super::timing::{Effort, figure};
use super::counted::{Asked, Counted};
use super::devices::{all_send, device, interrupts, message};
use super::rewrite::REWRITE;
use super::senders::ROUTED;
use super::{Known, rounds};
use ims::msix::MsixState;
use ims_kvm::{Interrupts, MsixDevice};
use kvm_ioctls::VmFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

const DEVICES: u32 = 64;
const VECTORS: u16 = 64;
/// All of them.
const ALL: u32 = DEVICES * VECTORS as u32;

/// How often all is saved and restored.
const ROUNDS: usize = 15;

/// A VM with its devices, in reset state.
struct Host {
    vm: Arc<Counted<VmFd>>,
    interrupts: Interrupts<Counted<VmFd>>,
    devices: Vec<MsixDevice<Counted<VmFd>>>,
    _still: Still,
}

/// What something took.
#[derive(Default)]
struct Cost {
    micros: Vec<f64>,
    asked: Asked,
}

/// Both, with and without eventfds.
///
/// # Errors
/// What KVM says.
pub(super) fn rows(effort: Effort, known: &mut Known) -> Outcome<Vec<Row>> {
    let name = |what: &str| format!("{DEVICES} devices of {VECTORS} vectors: {what}");
    if let Some(why) = shortage(ALL.into())? {
        return Ok(vec![Row::skipped(name("restore"), "µs", &why)]);
    }
    let [mut save, mut plain, mut wired] = [Cost::default(), Cost::default(), Cost::default()];
    for _ in 0..rounds(effort, ROUNDS) {
        let mut source = Host::new(true)?;
        source.program()?;
        let states = source.timed(&mut save, |host| {
            Ok(host
                .devices
                .iter()
                .map(MsixDevice::save)
                .collect::<Vec<_>>())
        })?;
        drop(source);
        Host::new(false)?.restore(&states, &mut plain)?;
        Host::new(true)?.restore(&states, &mut wired)?;
    }
    let beside = |row: Row| match known.rewritten {
        Some(rewritten) => row.compared(REWRITE, rewritten),
        None => row,
    };
    let note =
        format!("the neighbour has {ROUTED} vectors, more it cannot; eventfds are made before");
    Ok(vec![
        Row::new(name("save"), save.median(), "µs").note(format!(
            "an eventfd each, {ROUTED} of them irqfds; {}",
            save.asked.words()
        )),
        beside(Row::new(
            name("restore, raised by message"),
            plain.median(),
            "µs",
        ))
        .note(plain.asked.words()),
        beside(Row::new(
            name("restore, an eventfd each"),
            wired.median(),
            "µs",
        ))
        .note(format!("{note}; {}", wired.asked.words())),
        Row::new(
            name("restore, rewrites"),
            wired.asked.commits as f64,
            "calls",
        )
        .compared(REWRITE, f64::from(ROUTED))
        .at_most(1.0),
        Row::new(
            name("restore, raised by message, calls"),
            plain.asked.all() as f64,
            "calls",
        )
        .compared(REWRITE, f64::from(ROUTED) * 2.0)
        .at_most(0.0),
    ])
}

impl Asked {
    fn words(self) -> String {
        format!(
            "{} KVM_SET_GSI_ROUTING, {} KVM_IRQFD, {} KVM_SIGNAL_MSI",
            self.commits, self.irqfds, self.signals
        )
    }
}

impl Cost {
    fn median(&self) -> f64 {
        figure(self.micros.clone()).median
    }

    fn push(&mut self, time: Duration, asked: Asked) {
        self.micros.push(time.as_secs_f64() * 1e6);
        self.asked = asked;
    }
}

impl Host {
    fn new(eventfds: bool) -> Outcome<Self> {
        let still = Still::new()?;
        let vm = Arc::new(Counted::new(Arc::clone(&still.vm)));
        let interrupts = interrupts(Arc::clone(&vm), None)?;
        let mut devices = Vec::new();
        for number in 0..DEVICES {
            let device = device(&interrupts, number, VECTORS)?;
            for vector in (0..VECTORS).filter(|_| eventfds) {
                device.eventfd(vector)?;
            }
            devices.push(device);
        }
        Ok(Self {
            vm,
            interrupts,
            devices,
            _still: still,
        })
    }

    /// What the guest did: all enabled, nothing masked.
    fn program(&mut self) -> Outcome<()> {
        let batch = self.interrupts.batch();
        for (number, device) in (0..).zip(&mut self.devices) {
            for vector in 0..VECTORS {
                let number = number * u32::from(VECTORS) + u32::from(vector);
                device.program(vector, message(number)?, false)?;
            }
            device.set_enabled(true);
        }
        batch.commit()?;
        Ok(())
    }

    fn timed<T>(
        &mut self,
        cost: &mut Cost,
        what: impl FnOnce(&mut Self) -> Outcome<T>,
    ) -> Outcome<T> {
        let before = self.vm.asked();
        let begun = Instant::now();
        let done = what(self)?;
        let time = begun.elapsed();
        cost.push(time, self.vm.asked().since(before));
        Ok(done)
    }

    /// All devices, in one commit.
    fn restore(&mut self, states: &[MsixState], cost: &mut Cost) -> Outcome<()> {
        self.timed(cost, |host| {
            let batch = host.interrupts.batch();
            for (device, state) in host.devices.iter_mut().zip(states) {
                device.restore(state)?;
            }
            batch.commit()?;
            Ok(())
        })?;
        let report = self.interrupts.report();
        let routed = report.eventfds.min(ROUTED.into());
        if !self.devices.iter().all(all_send) || report.promoted != routed {
            return Err(format!("restored, and not all is as it was: {report:?}").into());
        }
        Ok(())
    }
}
