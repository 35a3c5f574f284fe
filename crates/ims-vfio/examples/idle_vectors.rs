// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a vector costs in memory: one that was never touched, and one that has a
//! trigger and is idle. The kernel's side of an eventfd is not counted.

use std::os::fd::OwnedFd;

use ims_vfio::irqs::{Irqs, Lines, Payload, SetIrqs};
use ims_vfio::layout::{irq, irq_set};
use peak_alloc::PeakAlloc;
use rustix::event::{EventfdFlags, eventfd};

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

const DEVICES: u32 = 2000;
const VECTORS: u32 = 2048;
/// With triggers there is a descriptor for each vector, so these are fewer.
const TRIGGERED: u32 = 512;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let lines = Lines {
        intx: true,
        msi: 32,
        msix: VECTORS,
        err: true,
        req: true,
    };
    let devices = make(DEVICES, lines)?;
    let untouched = per(ALLOCATOR.current_usage(), DEVICES * VECTORS);
    println!("untouched: {untouched:.3} bytes a vector, {DEVICES} devices of {VECTORS}");
    drop(devices);

    let before = ALLOCATOR.current_usage();
    let devices = make(DEVICES, lines)?;
    for device in &devices {
        device.emulated(0..VECTORS)?;
    }
    let declared = per(ALLOCATOR.current_usage() - before, DEVICES * VECTORS);
    println!("declared emulated, no trigger: {declared:.1} bytes a vector");
    drop(devices);

    let before = ALLOCATOR.current_usage();
    let devices = make(1, lines)?;
    for device in &devices {
        device.emulated(0..VECTORS)?;
        let triggers = (0..TRIGGERED).map(|_| trigger().map(Some));
        let header = SetIrqs {
            argsz: irq_set::HEADER,
            flags: irq_set::DATA_EVENTFD | irq_set::ACTION_TRIGGER,
            index: irq::MSIX,
            start: 0,
            count: TRIGGERED,
        };
        device.set(
            header,
            Payload::Triggers(triggers.collect::<Result<_, _>>()?),
        )?;
    }
    let triggered = per(ALLOCATOR.current_usage() - before, TRIGGERED);
    let share = declared * f64::from(VECTORS - TRIGGERED) / f64::from(TRIGGERED);
    println!(
        "emulated with a trigger, idle: {:.1} bytes a vector",
        triggered - share
    );
    Ok(())
}

fn make(count: u32, lines: Lines) -> Result<Vec<Irqs>, ims_vfio::irqs::LinesError> {
    (0..count).map(|_| Irqs::new(lines, None)).collect()
}

fn trigger() -> std::io::Result<OwnedFd> {
    Ok(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?)
}

#[allow(clippy::cast_precision_loss, reason = "a few digits are shown")]
fn per(bytes: usize, vectors: u32) -> f64 {
    bytes as f64 / f64::from(vectors)
}
