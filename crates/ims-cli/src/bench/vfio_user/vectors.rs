// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Triggers for all vectors, one SET_IRQS each, as QEMU sets them when a guest asks
//! for its interrupts one by one.

use super::super::Outcome;
use super::super::descriptors::shortage;
use super::super::row::Row;
use super::super::timing::{Effort, Watch, figure};
use super::compared::compare;
use super::device::VECTORS;
use super::servers::Servers;
use rustix::event::{EventfdFlags, eventfd};
use std::os::fd::AsFd;

/// The client has them, and two of the servers keep theirs.
const OWNERS: u64 = 3;

/// All vectors.
///
/// # Errors
/// What a client reports.
pub(super) fn rows(effort: Effort, servers: &mut Servers) -> Outcome<Vec<Row>> {
    let name = format!("SET_IRQS, one of {VECTORS} vectors");
    if let Some(why) = shortage(OWNERS * u64::from(VECTORS))? {
        return Ok(vec![Row::skipped(name, "ns", &why)]);
    }
    let mut triggers = Vec::new();
    for _ in 0..VECTORS {
        triggers.push(eventfd(0, EventfdFlags::CLOEXEC)?);
    }
    let compared = compare(effort, servers, |served, _| {
        let mut watch = Watch::default();
        watch.time(VECTORS.into(), || -> Outcome<()> {
            for (vector, trigger) in (0..).zip(&triggers) {
                served.client.set_trigger(vector, trigger.as_fd())?;
            }
            Ok(())
        })?;
        Ok(watch.each())
    })?;
    let all = figure(compared.ours.clone()).median * f64::from(VECTORS) / 1e6;
    let note = format!("all of them {all:.1} ms; each has had a trigger, which is closed");
    let [ours, published] = compared.rows(&name);
    Ok(vec![ours.note(note), published])
}
