// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a transport offers beside the device's own, and what does not go together.

use ims::message::RequesterId;

use crate::interrupts::msi;
use crate::layout::msi::{ADDRESS_HIGH, ADDRESS_LOW, DATA, Layout, VECTOR_SEL};
use crate::layout::vis::register;
use crate::layout::{features, mmio};
use crate::negotiation::DeviceError;
use crate::vis;

/// How a device is shown.
#[derive(Debug, Clone, Copy, Default)]
pub struct MmioOptions {
    /// Who its messages come from.
    pub requester: RequesterId,
    /// What VendorID reads as.
    pub vendor: u32,
    /// The driver's writes of registers may be posted (the block is in a BAR): then an
    /// acknowledgement comes after the driver has looked into its rings, and clears only
    /// what a read of InterruptStatus has shown since it happened.
    pub posted: bool,
    /// MSI by registers.
    pub msi: Option<msi::Offer>,
    /// Virtio interrupt storage.
    pub vis: Option<vis::Offer>,
}

/// Why a device is not shown.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NewError {
    /// No transport could.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// A bit of the layout of MSI means something else to this device's drivers.
    #[error(
        "feature bits {bits:#x} mean MSI and something else that is offered; use the layout CLEAR"
    )]
    Collision {
        /// The bits.
        bits: u64,
    },
    /// A register of the layout of MSI is another one's, or not aligned.
    #[error("the layout of MSI has a register at {offset:#x}, which is not free; use CLEAR")]
    Register {
        /// Where.
        offset: u64,
    },
    /// The layout's masks do not each name bits of their own: one of features, one or
    /// more of the state.
    #[error("the layout of MSI has masks that overlap or are no single feature bit; use CLEAR")]
    Layout,
    /// The device offers what this transport does not do.
    #[error("the device offers features {bits:#x}, which this transport does not do: leave them")]
    Unsupported {
        /// The bits.
        bits: u64,
    },
    /// A queue cannot be notified where it should.
    #[error("queue {queue} is notified at {offset:#x}, which is not free; use 0x1000 and on")]
    Notification {
        /// Which one.
        queue: u16,
        /// Where.
        offset: u64,
    },
    /// MSI cannot be offered so.
    #[error(transparent)]
    Msi(#[from] msi::OfferError),
    /// VIS cannot.
    #[error(transparent)]
    Vis(#[from] vis::OfferError),
}

/// Features that need what this transport has not: resets of one queue, and
/// notifications with other values.
const UNSUPPORTED: u64 = features::NOTIF_CONFIG_DATA | features::RING_RESET;

/// Registers of virtio-mmio, today's and those of version 1. Source: virtio 1.3,
/// 4.2.2, 4.2.4.
const TODAYS: &[u64] = &[
    mmio::MAGIC,
    mmio::VERSION,
    mmio::DEVICE_ID,
    mmio::VENDOR_ID,
    mmio::DEVICE_FEATURES,
    mmio::DEVICE_FEATURES_SEL,
    mmio::DRIVER_FEATURES,
    mmio::DRIVER_FEATURES_SEL,
    0x028,
    mmio::QUEUE_SEL,
    mmio::QUEUE_SIZE_MAX,
    mmio::QUEUE_SIZE,
    0x03c,
    0x040,
    mmio::QUEUE_READY,
    mmio::QUEUE_NOTIFY,
    mmio::INTERRUPT_STATUS,
    mmio::INTERRUPT_ACK,
    mmio::STATUS,
    mmio::QUEUE_DESC,
    mmio::QUEUE_DESC + 4,
    mmio::QUEUE_DRIVER,
    mmio::QUEUE_DRIVER + 4,
    mmio::QUEUE_DEVICE,
    mmio::QUEUE_DEVICE + 4,
    mmio::SHM_SEL,
    mmio::SHM_LEN,
    mmio::SHM_LEN + 4,
    mmio::SHM_BASE,
    mmio::SHM_BASE + 4,
    mmio::CONFIG_GENERATION,
];

/// Registers of VIS.
const VIS: &[u64] = &[
    register::VECTORS,
    register::STATE,
    register::ADDRESS_LOW,
    register::ADDRESS_HIGH,
    register::COMMAND,
];

/// Registers of a layout of MSI.
fn of_layout(layout: &Layout) -> [u64; 7] {
    [
        layout.vectors,
        layout.state,
        layout.command,
        VECTOR_SEL,
        ADDRESS_LOW,
        ADDRESS_HIGH,
        DATA,
    ]
}

impl MmioOptions {
    /// Feature bits of the transport, beside `VERSION_1`.
    pub(super) fn features(&self) -> u64 {
        let msi = self.msi.map_or(0, |offer| {
            let notification = offer
                .notification
                .map(|_| offer.layout.notification_feature);
            offer.layout.feature | notification.unwrap_or(0)
        });
        msi | self.vis.map_or(0, |_| features::VIS)
    }

    /// Whether a register is at `offset`, if no feature is agreed that adds others.
    pub(super) fn has_register(&self, offset: u64) -> bool {
        let msi = self
            .msi
            .is_some_and(|offer| of_layout(&offer.layout).contains(&offset));
        TODAYS.contains(&offset) || offset == mmio::QUEUE_RESET || VIS.contains(&offset) || msi
    }

    /// # Errors
    /// If what is offered does not go with a device that offers `device`.
    pub(super) fn check(&self, device: u64) -> Result<(), NewError> {
        if let Some(offer) = &self.msi {
            check_layout(&offer.layout, device)?;
        }
        let unsupported = device & (UNSUPPORTED | features::VIS);
        if unsupported != 0 {
            let bits = unsupported;
            return Err(NewError::Unsupported { bits });
        }
        Ok(())
    }
}

fn check_layout(layout: &Layout, device: u64) -> Result<(), NewError> {
    let ours = layout.feature | layout.notification_feature;
    let bits = layout.collides(device) | (device | features::VERSION_1 | features::VIS) & ours;
    if bits != 0 {
        return Err(NewError::Collision { bits });
    }
    let single = layout.feature.is_power_of_two() && layout.notification_feature.is_power_of_two();
    let apart = layout.feature & layout.notification_feature == 0
        && layout.enabled & layout.sharing == 0
        && layout.enabled != 0
        && layout.sharing != 0;
    if !single || !apart {
        return Err(NewError::Layout);
    }
    let registers = of_layout(layout);
    for (at, &offset) in registers.iter().enumerate() {
        let taken = TODAYS.contains(&offset)
            || VIS.contains(&offset)
            || registers
                .iter()
                .skip(at.saturating_add(1))
                .any(|other| *other == offset);
        if taken || !offset.is_multiple_of(4) || offset >= mmio::CONFIG {
            return Err(NewError::Register { offset });
        }
    }
    Ok(())
}
