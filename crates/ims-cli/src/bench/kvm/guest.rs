// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A guest that takes interrupts and does nothing else.

use super::super::Outcome;
use ims_kvm::machine::{Bus, Config, Irqchip, Machine};
use std::sync::Arc;

/// A bus with nothing on it.
struct Nothing;

impl Bus for Nothing {}

/// With so many vCPUs, and so many words of sources.
///
/// # Errors
/// What KVM says.
pub(super) fn start(vcpus: u32, words: u32) -> Outcome<Machine> {
    let config = Config {
        vcpus,
        irqchip: Irqchip::InKernel,
        x2apic: false,
        words,
        memory: 0,
        notify: false,
    };
    Ok(Machine::start(config, Arc::new(Nothing))?)
}
