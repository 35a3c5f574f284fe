// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What vectors cost that nobody uses.

use super::super::Outcome;
use super::super::memory::live;
use super::super::row::Row;
use ims_vfio::irqs::{Irqs, Lines};

const DEVICES: u32 = 2000;
const VECTORS: u16 = 2048;

/// Vectors that were never touched, and such as are declared and have no trigger.
///
/// # Errors
/// If a device cannot be made.
pub(super) fn rows() -> Outcome<Vec<Row>> {
    let untouched = cost(|_| Ok(()))?;
    let declared = cost(|irqs| Ok(irqs.emulated(0..VECTORS.into())?))?;
    let name = |what: &str| format!("a vector of {DEVICES} devices with {VECTORS} each, {what}");
    Ok(vec![
        Row::new(name("untouched"), untouched, "bytes"),
        Row::new(name("declared emulated"), declared, "bytes"),
    ])
}

fn cost(touch: impl Fn(&Irqs) -> Outcome<()>) -> Outcome<f64> {
    let before = live();
    let mut devices = Vec::with_capacity(DEVICES as usize);
    for _ in 0..DEVICES {
        let irqs = Irqs::new(Lines::msix(VECTORS), None)?;
        touch(&irqs)?;
        devices.push(irqs);
    }
    let bytes = live().saturating_sub(before);
    drop(devices);
    Ok(bytes as f64 / (f64::from(DEVICES) * f64::from(VECTORS)))
}
