// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a guest's mask costs its exit when the vector's eventfd is an irqfd: KVM must
//! let go of it, or what is written meanwhile would not be pending but delivered.

use super::super::Outcome;
use super::super::row::Row;
use super::super::still::Still;
use super::super::timing::{Effort, figure};
use super::devices::{interrupts, mask, masked, unmask, wait_promoted};
use super::rounds;
use kvm_ioctls::VmFd;
use std::sync::Arc;
use std::time::{Duration, Instant};
use vmm_sys_util::eventfd::{EFD_NONBLOCK, EventFd};

/// Vectors of the device.
const VECTORS: u16 = 256;

/// What it costs to take an irqfd from KVM, whoever asks for it.
const LET_GO: &str = "KVM_IRQFD, deassign";

/// Microseconds for one vector.
struct Each {
    masks: f64,
    unmasks: f64,
    function: f64,
    detaches: f64,
}

/// Masks and unmasks of single vectors, and of the function.
///
/// # Errors
/// What KVM says.
pub(super) fn rows(effort: Effort) -> Outcome<Vec<Row>> {
    let each = (0..rounds(effort, 9)).map(|_| each());
    let each = each.collect::<Outcome<Vec<_>>>()?;
    let median = |of: fn(&Each) -> f64| figure(each.iter().map(of).collect()).median;
    let detach = median(|each| each.detaches);
    Ok(vec![
        Row::new("an irqfd's vector masked, the exit", median(|each| each.masks), "µs")
            .compared(LET_GO, detach)
            .note("most of it KVM's wait for its own readers; a vector whose eventfd is none takes what an unmask does"),
        Row::new("and unmasked, the exit", median(|each| each.unmasks), "µs")
            .note("an irqfd again: its route stood"),
        Row::new(
            format!("the function of {VECTORS} of them masked, each"),
            median(|each| each.function),
            "µs",
        )
        .compared(LET_GO, detach),
    ])
}

fn each() -> Outcome<Each> {
    let still = Still::new()?;
    let interrupts = interrupts(Arc::clone(&still.vm), None)?;
    let mut devices = masked(&interrupts, VECTORS.into())?;
    let device = devices.first_mut().ok_or("no device")?;
    (0..VECTORS).for_each(|vector| unmask(device, vector));
    interrupts.batch().commit()?;
    wait_promoted(&interrupts, VECTORS.into())?;

    let masks = timed(|| (0..VECTORS).for_each(|vector| mask(device, vector)));
    let unmasks = timed(|| (0..VECTORS).for_each(|vector| unmask(device, vector)));
    wait_promoted(&interrupts, VECTORS.into())?;
    let function = timed(|| device.set_function_masked(true));
    wait_promoted(&interrupts, 0)?;
    Ok(Each {
        masks,
        unmasks,
        function,
        detaches: by_hand(&still.vm)?,
    })
}

/// Irqfds taken from KVM, nothing else; their GSIs need no routes for that.
fn by_hand(vm: &VmFd) -> Outcome<f64> {
    let eventfds = (0..VECTORS).map(|_| EventFd::new(EFD_NONBLOCK));
    let eventfds = eventfds.collect::<Result<Vec<_>, _>>()?;
    let gsis = || (1024..).zip(&eventfds);
    for (gsi, eventfd) in gsis() {
        vm.register_irqfd(eventfd, gsi)?;
    }
    let mut refused = Ok(());
    let each = timed(|| {
        refused = gsis().try_for_each(|(gsi, eventfd)| vm.unregister_irqfd(eventfd, gsi));
    });
    refused?;
    Ok(each)
}

/// Microseconds for one of all vectors.
fn timed(run: impl FnOnce()) -> f64 {
    let begun = Instant::now();
    run();
    let all: Duration = begun.elapsed();
    all.as_secs_f64() * 1e6 / f64::from(VECTORS)
}
