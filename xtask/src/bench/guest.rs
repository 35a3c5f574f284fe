// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a guest gets out of a served DSA: the kernel's own test of DMA engines, under
//! an emulated CPU.

use super::page::Bench;
use super::rows::Row;
use crate::e2e;
use crate::failure::Failure;
use crate::progress::Progress;

/// Boots guests, if all that needs is in the cache.
///
/// # Errors
/// If a guest does not do what it must.
pub(crate) fn measure() -> Result<Bench, Failure> {
    let rows = match e2e::needs_fetching() {
        Some(why) => vec![row(
            "any",
            None,
            &format!("skipped: {why}; cargo xtask e2e"),
        )],
        None => {
            let progress = Progress::new(e2e::STEPS);
            let found = e2e::dmatest(&progress)?;
            found
                .into_iter()
                .map(|(kind, rate)| {
                    let note =
                        "copies of up to 64 KiB, verified by the guest; QEMU emulates its CPU";
                    row(kind, Some(rate), note)
                })
                .collect()
        }
    };
    Ok(Bench {
        name: "guest".to_owned(),
        command: "cargo xtask e2e --only physical --only virtual".to_owned(),
        rows,
    })
}

fn row(kind: &str, value: Option<f64>, note: &str) -> Row {
    Row {
        name: format!("dmatest, {kind} device"),
        value,
        unit: "iterations/s".to_owned(),
        neighbour: None,
        ratio: None,
        budget: None,
        met: None,
        note: Some(note.to_owned()),
        cell: None,
    }
}
