// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Exits for accesses to a device, as the VMM counts them and as KVM does.

use super::VCPUS;
use super::access::Wired;
use ims_kvm::machine::Machine;

/// Counts of all vCPUs since the machine started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Exits {
    /// Accesses that reached the VMM.
    pub(super) vmm: u64,
    /// Those that the driver made, not a handler.
    pub(super) driver: u64,
    /// Handlers' that found no reason to be run.
    pub(super) spurious: u64,
}

impl Exits {
    pub(super) fn now(wired: &Wired) -> Self {
        let machine = wired.board.machine();
        let of = |cpu| machine.exits(cpu);
        Self {
            vmm: (0..VCPUS).map(|cpu| of(cpu).reads + of(cpu).writes).sum(),
            driver: wired.made(),
            spurious: wired.board.spurious(),
        }
    }

    /// What came since `before`.
    pub(super) fn since(self, before: Self) -> Self {
        Self {
            vmm: self.vmm.saturating_sub(before.vmm),
            driver: self.driver.saturating_sub(before.driver),
            spurious: self.spurious.saturating_sub(before.spurious),
        }
    }

    /// Without what handlers did for nothing.
    pub(super) fn useful(self) -> u64 {
        self.vmm.saturating_sub(self.spurious)
    }
}

/// What `run` brings about.
pub(super) fn of<R>(wired: &Wired, run: impl FnOnce() -> R) -> (R, Exits) {
    let before = Exits::now(wired);
    let result = run();
    (result, Exits::now(wired).since(before))
}

/// A count of KVM's of all vCPUs; `None` if this kernel does not count it.
pub(super) fn by_kvm(machine: &Machine, name: &str) -> Option<u64> {
    (0..VCPUS)
        .map(|cpu| machine.statistics(cpu)?.get(name))
        .sum()
}
