// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What vectors cost while nothing happens.

use super::super::Outcome;
use super::super::descriptors::{open, shortage};
use super::super::memory::live;
use super::super::row::Row;
use super::super::still::Still;
use super::devices::{device, interrupts, pins, wait_promoted};
use super::rewrite::EAGER;
use ims::msix::layout::MAX_VECTORS;
use ims_kvm::Interrupts;
use std::sync::Arc;
use vmm_sys_util::eventfd::{EFD_NONBLOCK, EventFd};

/// A vector's share.
struct Share {
    bytes: f64,
    descriptors: f64,
    gsis: f64,
}

/// Without eventfds, with one each that is forwarded, and with one each that is
/// an irqfd.
///
/// # Errors
/// What KVM says.
pub(super) fn rows() -> Outcome<Vec<Row>> {
    let name = |what: &str| format!("a vector of {MAX_VECTORS} at rest, {what}");
    if let Some(why) = shortage(u64::from(MAX_VECTORS) * 2)? {
        return Ok(vec![Row::skipped(name("bytes"), "bytes", &why)]);
    }
    let eager = eager()?;
    let mut rows = Vec::new();
    for (what, eventfds, routes) in [
        ("raised by message", false, false),
        ("eventfd, forwarded", true, false),
        ("eventfd, irqfd", true, true),
    ] {
        let Share {
            bytes,
            descriptors,
            gsis,
        } = share(eventfds, routes)?;
        rows.push(
            Row::new(name(&format!("{what}: bytes")), bytes, "bytes").note(
                "as allocated; what the kernel has for an eventfd, a watch and a route is not seen",
            ),
        );
        rows.push(
            Row::new(
                name(&format!("{what}: descriptors")),
                descriptors,
                "descriptors",
            )
            .compared(EAGER, eager),
        );
        rows.push(Row::new(name(&format!("{what}: GSIs")), gsis, "GSIs").compared(EAGER, 1.0));
    }
    Ok(rows)
}

/// Descriptors of a vector where each has an eventfd from the beginning.
fn eager() -> Outcome<f64> {
    let before = open()?;
    let eventfds: Result<Vec<_>, _> = (0..MAX_VECTORS)
        .map(|_| EventFd::new(EFD_NONBLOCK))
        .collect();
    let eventfds = eventfds?;
    let descriptors = open()? - before;
    Ok(descriptors as f64 / eventfds.len() as f64)
}

fn share(eventfds: bool, routes: bool) -> Outcome<Share> {
    let still = Still::new()?;
    let interrupts = interrupts(Arc::clone(&still.vm), None)?;
    // The forwarder's thread and its set are not a vector's.
    let other = device(&interrupts, 1, 1)?;
    other.eventfd(0)?;
    let before = (live(), open()?, gsis(&interrupts));
    let device = device(&interrupts, 0, MAX_VECTORS)?;
    for vector in (0..MAX_VECTORS).filter(|_| eventfds) {
        device.eventfd(vector)?;
    }
    let mut device = device;
    for vector in 0..MAX_VECTORS {
        device.program(vector, super::devices::message(vector.into())?, false)?;
    }
    if routes {
        device.set_enabled(true);
        wait_promoted(&interrupts, MAX_VECTORS.into())?;
    }
    let after = (live(), open()?, gsis(&interrupts));
    let each =
        |after: usize, before: usize| after.saturating_sub(before) as f64 / f64::from(MAX_VECTORS);
    Ok(Share {
        bytes: each(after.0, before.0),
        descriptors: each(after.1, before.1),
        gsis: each(after.2, before.2),
    })
}

/// GSIs with a route, pins not counted.
fn gsis(interrupts: &Interrupts) -> usize {
    let routes = usize::try_from(interrupts.report().routes).unwrap_or(usize::MAX);
    routes.saturating_sub(pins().len())
}
