// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Whether a scenario's interrupts have room, whatever is done with them.

use ims::vector::layout::DEVICE_VECTORS;

use super::Scenario;
use super::error::ScenarioError;
use super::file::Origins;

/// The most interrupts a run has.
pub(super) const MOST: u64 = 4_000_000;

/// Checks what no field can be blamed for alone.
///
/// # Errors
/// [`ScenarioError::TooMany`], naming each factor, its value and where it is from.
pub(super) fn check(scenario: &Scenario, origins: &Origins) -> Result<(), ScenarioError> {
    let interrupts = scenario.interrupts();
    let too_many = |right: String| {
        Err(ScenarioError::TooMany {
            factors: factors(scenario, origins),
            interrupts,
            right,
        })
    };
    if interrupts > MOST {
        return too_many(format!("at most {MOST} are run at once"));
    }
    // Vectors are taken interface by interface, so the fullest machine decides.
    let adis = u64::from(scenario.adis.div_ceil(scenario.vms.max(1)));
    let each = u64::from(scenario.queues) * u64::from(scenario.vectors);
    let vectors = u64::from(DEVICE_VECTORS.end - DEVICE_VECTORS.start);
    let needed = (adis * each).div_ceil(vectors);
    if needed > u64::from(scenario.vcpus) {
        let vcpus = stated("vcpus", scenario.vcpus, origins);
        return too_many(format!(
            "a CPU has {vectors} vectors, so each of the {} VMs needs {needed} CPUs, not {vcpus}",
            scenario.vms
        ));
    }
    Ok(())
}

fn factors(scenario: &Scenario, origins: &Origins) -> String {
    [
        ("adis", scenario.adis),
        ("queues", scenario.queues),
        ("vectors", scenario.vectors),
    ]
    .map(|(name, value)| format!("{name} {}", stated(name, value, origins)))
    .join(" × ")
}

/// A value and where it was stated.
fn stated(name: &str, value: u32, origins: &Origins) -> String {
    match origins.get(name) {
        Some(origin) => format!("{value} ({origin})"),
        None => format!("{value} (default)"),
    }
}
