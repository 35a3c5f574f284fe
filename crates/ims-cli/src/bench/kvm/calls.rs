// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a sender pays for an interrupt, and what of it is not KVM's.

use super::super::Outcome;
use super::super::row::Row;
use super::super::still::Still;
use super::super::timing::{Effort, figure, plain, rounds};
use super::devices::message;
use super::ways::Way;
use ims::message::{Addressing, RequesterId};
use ims_kvm::Composer;

/// The call that a raise by message makes.
const CALL: &str = "KVM_SIGNAL_MSI";

/// Nanoseconds that a raise may add to it.
const ADDED: f64 = 30.0;

/// Each way, and the call.
///
/// # Errors
/// What KVM says.
pub(super) fn rows(effort: Effort) -> Outcome<Vec<Row>> {
    let message = message(0)?;
    let vms = [Still::new()?, Still::new()?, Still::new()?, Still::new()?];
    let [to_signal, to_irqfd, to_forwarded, to_promoted] = &vms;
    let signal = Way::Signal.to(&to_signal.vm, message)?;
    let irqfd = Way::Irqfd.to(&to_irqfd.vm, message)?;
    let forwarded = Way::Forwarded.to(&to_forwarded.vm, message)?;
    let promoted = Way::Promoted.to(&to_promoted.vm, message)?;
    let composer = Composer {
        addressing: Addressing::Xapic,
        device_ids: false,
    };
    let bare = composer.message(RequesterId(0), message)?;

    // Turns of their own, without the forwarder's thread at work.
    let [raises, calls, irqfds, promotions] = rounds(
        effort.for_pairs(),
        [
            &mut |batch| plain(batch, || signal.fire()),
            &mut |batch| plain(batch, || to_signal.vm.signal_msi(bare).map(drop)),
            &mut |batch| plain(batch, || irqfd.fire()),
            &mut |batch| plain(batch, || promoted.fire()),
        ],
    )?;
    let added = raises.iter().zip(&calls).map(|(raise, call)| raise - call);
    let added = figure(added.collect()).median;
    let [forwards] = rounds(effort, [&mut |batch| plain(batch, || forwarded.fire())])?;
    let irqfd = Some((Way::Irqfd.name(), figure(irqfds)));
    Ok(vec![
        Row::figure(Way::Signal.name(), figure(raises.clone())).beside(irqfd),
        Row::figure(format!("{}, the call", Way::Signal.name()), figure(raises))
            .beside(Some((CALL, figure(calls)))),
        Row::new("a raise by message adds to the call", added, "ns")
            .at_most(ADDED)
            .note("median of the rounds' differences"),
        Row::figure(Way::Promoted.name(), figure(promotions)).beside(irqfd),
        Row::figure(Way::Forwarded.name(), figure(forwards))
            .beside(irqfd)
            .note("the writer's share, which wakes the forwarder if it sleeps; what comes before it has looked is one interrupt"),
    ])
}
