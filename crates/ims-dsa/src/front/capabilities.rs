// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a device announces, as registers say it. They never change.

use super::map;
use super::parameters::Parameters;
use crate::layout::command::Command;
use crate::layout::registers::{
    CMDCAP, ENGCAP, GENCAP, GRPCAP, GeneralCapabilities, GroupCapabilities, IMS_UNIT, OFFSET_UNIT,
    OFFSETS, OPCAP, QueueCapabilities, TableOffsets, VERSION, WQCAP,
};
use crate::limits::Capabilities;

/// What its engines can do beyond what parameters say.
pub(super) const ENGINES: Capabilities = Capabilities {
    overlapping_copy: true,
    cache_control: true,
    flush_cache_control: true,
    readback: true,
    batch_of_one: false,
};

/// The 8 bytes at `offset`, a multiple of 8; `None` where no capability is.
pub(super) fn quad(parameters: &Parameters, offset: u64) -> Option<u64> {
    let [low, high] = offsets(parameters);
    Some(match offset {
        VERSION => parameters.version.into(),
        GENCAP => general(parameters).into_bits(),
        WQCAP => queues(parameters).into_bits(),
        GRPCAP => groups(parameters).into_bits(),
        ENGCAP => parameters.engines.into(),
        OPCAP => parameters.operations.bits(),
        OFFSETS => low,
        OFFSETS_HIGH => high,
        CMDCAP => commands(parameters).into(),
        _ => return None,
    })
}

const OFFSETS_HIGH: u64 = OFFSETS + 8;

fn general(parameters: &Parameters) -> GeneralCapabilities {
    let ims = parameters.ims_entries / IMS_UNIT;
    GeneralCapabilities::new()
        .with_block_on_fault(parameters.block_on_fault)
        .with_overlapping_copy(ENGINES.overlapping_copy)
        .with_cache_control_memory(ENGINES.cache_control)
        .with_cache_control_cache(ENGINES.flush_cache_control)
        .with_command_capabilities(true)
        .with_destination_readback(ENGINES.readback)
        .with_event_log(parameters.event_log.into())
        .with_max_transfer_shift(parameters.max_transfer_shift)
        .with_max_batch_shift(parameters.max_batch_shift)
        .with_ims_size(u8::try_from(ims).unwrap_or(0))
        .with_configurable(parameters.configurable)
}

/// Shared mode is announced with PASIDs, which it needs. Occupancy interrupts are
/// not: engines do not tell when a descriptor leaves a queue.
fn queues(parameters: &Parameters) -> QueueCapabilities {
    QueueCapabilities::new()
        .with_total_size(parameters.queue_entries)
        .with_queues(parameters.queues)
        .with_config_size(parameters.wide_queue_config.into())
        .with_shared(parameters.pasids)
        .with_dedicated(true)
        .with_priority(true)
        .with_occupancy(true)
        .with_operations(parameters.wide_queue_config)
}

fn groups(parameters: &Parameters) -> GroupCapabilities {
    let buffers = parameters.read_buffers > 0;
    GroupCapabilities::new()
        .with_groups(parameters.groups)
        .with_read_buffers(parameters.read_buffers)
        .with_read_buffer_control(buffers)
        .with_read_buffer_limit(buffers)
}

fn offsets(parameters: &Parameters) -> [u64; 2] {
    let unit = |offset: u64| u16::try_from(offset / OFFSET_UNIT).unwrap_or(0);
    let ims = if parameters.ims_entries == 0 {
        0
    } else {
        unit(map::IMS)
    };
    let offsets = TableOffsets::new()
        .with_group_config(unit(map::GROUP_CONFIG))
        .with_queue_config(unit(map::QUEUE_CONFIG))
        .with_msix_permissions(unit(map::MSIX_PERMISSIONS))
        .with_ims(ims)
        .into_bits();
    let [a, b, c, d, e, f, g, h, rest @ ..] = offsets.to_le_bytes();
    let low = u64::from_le_bytes([a, b, c, d, e, f, g, h]);
    [low, u64::from_le_bytes(rest)]
}

/// CMDCAP: a bit for each command there is.
pub(super) fn commands(parameters: &Parameters) -> u32 {
    Command::ALL
        .into_iter()
        .filter(|command| has_command(parameters, *command))
        .fold(0, |bits, command| bits | 1 << command as u8)
}

/// Whether there is this command.
pub(super) fn has_command(parameters: &Parameters, command: Command) -> bool {
    let handles = matches!(command, Command::RequestHandle | Command::ReleaseHandle);
    parameters.interrupt_handles || !handles
}
