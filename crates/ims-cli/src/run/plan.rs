// SPDX-License-Identifier: Apache-2.0 OR MIT
//! How many functions and CPUs a scenario needs.

use super::scenario::Scenario;

/// The most handles one function can have: they are 16 bits, as are its remap
/// unit's.
const HANDLES: u64 = 1 << 16;
/// Vectors planned for each vCPU, of the some 200 it has: the rest is room to
/// move, and for others when one goes offline.
const VECTORS: u64 = 160;

/// How a scenario is spread over functions and CPUs.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// Interfaces of each function but the last.
    pub(super) adis_per_function: u32,
    pub(super) functions: u32,
    pub(super) vcpus: u32,
    pub(super) lanes_per_vm: u32,
    pub(super) notes: Vec<String>,
}

impl Plan {
    pub(super) fn new(scenario: &Scenario) -> Self {
        let per_adi = u64::from(scenario.queues) * u64::from(scenario.vectors);
        let adis = u64::from(scenario.adis);
        let adis_per_function = (HANDLES / per_adi).clamp(1, adis);
        let functions = adis.div_ceil(adis_per_function);
        let lanes_per_vm = adis.div_ceil(scenario.vms.into()) * per_adi;
        let needed = lanes_per_vm.div_ceil(VECTORS);
        let vcpus = needed.max(scenario.vcpus.into());
        let mut notes = Vec::new();
        if vcpus > scenario.vcpus.into() {
            notes.push(format!(
                "CPUs were added: {vcpus} vCPUs a VM instead of {}, for {lanes_per_vm} interrupts \
                 need them at {VECTORS} vectors each",
                scenario.vcpus
            ));
        }
        if functions > 1 {
            notes.push(format!(
                "{functions} physical functions, each with a remap unit of its own: a handle has \
                 16 bits, so one function has at most {HANDLES} interrupts"
            ));
        }
        let number = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
        Self {
            adis_per_function: number(adis_per_function),
            functions: number(functions),
            vcpus: number(vcpus),
            lanes_per_vm: number(lanes_per_vm),
            notes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(adis: u32, queues: u32, vectors: u32) -> Plan {
        Plan::new(&Scenario {
            adis,
            queues,
            vectors,
            ..Scenario::default()
        })
    }

    #[test]
    fn the_default_fits_one_function_and_the_cpus_asked_for() {
        let plan = plan(1000, 2, 2);
        assert_eq!(
            (plan.functions, plan.vcpus, plan.lanes_per_vm),
            (1, 8, 1000)
        );
        assert!(plan.notes.is_empty());
    }

    #[test]
    fn more_interrupts_than_vectors_add_cpus_and_say_so() {
        let plan = plan(20_000, 1, 3);
        assert_eq!((plan.functions, plan.lanes_per_vm), (1, 15_000));
        assert_eq!(plan.vcpus, 94);
        assert!(plan.notes[0].contains("94 vCPUs a VM instead of 8"));
    }

    #[test]
    fn more_interrupts_than_handles_add_functions_and_say_so() {
        let plan = plan(20_000, 2, 3);
        assert_eq!(plan.functions, 2);
        assert!(plan.adis_per_function * 6 <= 1 << 16);
        assert!(plan.notes[1].contains("2 physical functions"));
    }
}
