// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Whether a scenario can be run at all. CPUs are no limit: the run adds as many
//! as its interrupts need.

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
    if interrupts > MOST {
        return Err(ScenarioError::TooMany {
            factors: factors(scenario, origins),
            interrupts,
            right: format!("at most {MOST} are run at once"),
        });
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
