// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which register an access to BAR 0 is about.
//!
//! Reads are made of aligned quadwords, writes of aligned words with a mask of the
//! bytes written: so every length and alignment means something, and an 8-byte
//! register may be written in halves.

use super::Front;
use super::capabilities;
use super::configuration::merge;
use super::map::{GROUP_CONFIG, MSIX_PERMISSIONS, QUEUE_CONFIG};
use super::state::State;
use crate::layout::command::CommandRegister;
use crate::layout::registers::{
    CMD, CMDSTATUS, EVLCFG, EVLSTATUS, GENCFG, GENCTRL, GENSTS, GeneralConfig, INTCAUSE, SWERROR,
    SWERROR_SIZE,
};
use crate::layout::tables::{GROUP_CONFIG_SIZE, queue};

const EVLCFG_LAST: u64 = EVLSTATUS - 1;
const EVLSTATUS_LAST: u64 = EVLSTATUS + 7;
const SWERROR_LAST: u64 = SWERROR + SWERROR_SIZE - 1;

impl Front {
    pub(super) fn read_registers(&self, offset: u64, data: &mut [u8]) {
        let mut done = 0;
        while let Some(rest) = data.get_mut(done..).filter(|rest| !rest.is_empty()) {
            let Some(at) = offset.checked_add(done as u64) else {
                rest.fill(0);
                return;
            };
            let first = usize::try_from(at % 8).unwrap_or(0);
            let length = rest.len().min(8 - first);
            let quad = self.read_quad(at - at % 8, first, first + length);
            let bytes = quad.to_le_bytes().into_iter().skip(first);
            for (to, from) in rest.iter_mut().zip(bytes) {
                *to = from;
            }
            done += length;
        }
    }

    /// The quadword at `base`, of which the bytes `from..to` are looked at.
    fn read_quad(&self, base: u64, from: usize, to: usize) -> u64 {
        if base < MSIX_PERMISSIONS {
            return self.register(base);
        }
        let low = if from < 4 {
            self.machine.read_word(base)
        } else {
            0
        };
        let high = if to > 4 {
            self.machine.read_word(base + 4)
        } else {
            0
        };
        pair(low, high)
    }

    fn register(&self, base: u64) -> u64 {
        if let Some(value) = capabilities::quad(&self.parameters, base) {
            return value;
        }
        let (value, queue) = {
            let state = self.lock();
            if base >= QUEUE_CONFIG {
                let (number, within) = self.queue_place(base);
                let value = self.queue_quad(&state, number, within);
                let occupied = (within == queue::STATE).then(|| state.queue(number).cloned());
                (value, occupied.flatten())
            } else {
                (self.state_register(&state, base), None)
            }
        };
        let occupancy = queue.map_or(0, |queue| queue.occupancy());
        value | u64::from(u16::try_from(occupancy).unwrap_or(u16::MAX))
    }

    fn state_register(&self, state: &State, base: u64) -> u64 {
        match base {
            GENCFG => state.general.into_bits().into(),
            GENCTRL => state.causes.control().into(),
            GENSTS => state.general_status().into(),
            INTCAUSE => state.causes.raised().into(),
            CMDSTATUS => state.command.into_bits().into(),
            SWERROR..=SWERROR_LAST => state.software_error.quad((base - SWERROR) / 8),
            EVLCFG..=EVLCFG_LAST => state.event_log.config((base - EVLCFG) / 8),
            EVLSTATUS => state.event_log.status(),
            GROUP_CONFIG..QUEUE_CONFIG => {
                let number = (base - GROUP_CONFIG) / GROUP_CONFIG_SIZE;
                let within = (base - GROUP_CONFIG) % GROUP_CONFIG_SIZE;
                let word = |offset| state.configuration.group_word(number, offset);
                pair(word(within), word(within + 4))
            }
            _ => 0,
        }
    }

    fn queue_quad(&self, state: &State, number: u64, within: u64) -> u64 {
        if number >= self.parameters.queues.into() {
            return 0;
        }
        if within == queue::STATE {
            let choice = self.parameters.configurable && self.parameters.pasids;
            return state.queue_state(number, choice).into_bits().into();
        }
        let word = |offset| state.configuration.queue_word(number, offset);
        pair(word(within), word(within + 4))
    }

    /// The queue and the place in its WQCFG.
    fn queue_place(&self, offset: u64) -> (u64, u64) {
        let size = self.parameters.queue_config_size();
        let from_first = offset - QUEUE_CONFIG;
        (from_first / size, from_first % size)
    }

    pub(super) fn write_registers(&self, offset: u64, data: &[u8]) {
        let (mut at, mut rest) = (offset, data);
        while !rest.is_empty() {
            let first = usize::try_from(at % 4).unwrap_or(0);
            let (now, next) = rest.split_at(rest.len().min(4 - first));
            let (mut value, mut mask) = ([0; 4], [0; 4]);
            let bytes = value.iter_mut().zip(&mut mask).skip(first);
            for ((value, mask), byte) in bytes.zip(now) {
                (*value, *mask) = (*byte, 0xff);
            }
            let word = (u32::from_le_bytes(value), u32::from_le_bytes(mask));
            self.write_word(at - at % 4, word);
            let Some(next_at) = at.checked_add(now.len() as u64) else {
                return;
            };
            (at, rest) = (next_at, next);
        }
    }

    fn write_word(&self, base: u64, (value, mask): (u32, u32)) {
        match base {
            MSIX_PERMISSIONS.. if mask == u32::MAX => self.machine.write_word(base, value),
            MSIX_PERMISSIONS.. => {
                let old = self.machine.read_word(base);
                self.machine.write_word(base, merge(old, value, mask));
            }
            // Less than all of it is no command.
            CMD if mask == u32::MAX => self.command(CommandRegister::from_bits(value)),
            _ => self.write_state(&mut self.lock(), base, (value, mask)),
        }
    }

    fn write_state(&self, state: &mut State, base: u64, (value, mask): (u32, u32)) {
        let disabled = state.is_disabled();
        match base {
            GENCFG if disabled => {
                let mask = mask & self.general_config_mask();
                let bits = merge(state.general.into_bits(), value, mask);
                state.general = GeneralConfig::from_bits(bits);
            }
            GENCTRL => state.causes.set_control(value, mask),
            INTCAUSE => state.causes.clear(value & mask),
            SWERROR => state.software_error.acknowledge(value & mask),
            EVLCFG..=EVLCFG_LAST if disabled && self.parameters.event_log => {
                state.event_log.set_config((base - EVLCFG) / 4, value, mask);
            }
            EVLSTATUS..=EVLSTATUS_LAST if self.parameters.event_log => {
                state
                    .event_log
                    .set_status((base - EVLSTATUS) / 4, value, mask);
            }
            GROUP_CONFIG..QUEUE_CONFIG => {
                let number = (base - GROUP_CONFIG) / GROUP_CONFIG_SIZE;
                let within = (base - GROUP_CONFIG) % GROUP_CONFIG_SIZE;
                let word = (value, mask);
                state
                    .configuration
                    .write_group(number, within, word, disabled);
            }
            QUEUE_CONFIG.. => {
                let (number, within) = self.queue_place(base);
                let disabled = state.disabled(number);
                let word = (value, mask);
                state
                    .configuration
                    .write_queue(number, within, word, disabled);
            }
            _ => {}
        }
    }

    /// The bits of GENCFG that exist.
    fn general_config_mask(&self) -> u32 {
        let limited = self.parameters.configurable && self.parameters.read_buffers > 0;
        GeneralConfig::new()
            .with_read_buffer_limit(if limited { u8::MAX } else { 0 })
            .with_event_log(self.parameters.event_log)
            .into_bits()
    }
}

fn pair(low: u32, high: u32) -> u64 {
    u64::from(low) | u64::from(high) << 32
}
