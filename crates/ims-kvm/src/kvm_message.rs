// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A guest's message as KVM takes it.

use ims::message::{Addressing, Message, MessageError, RequesterId};
use kvm_bindings::{
    KVM_IRQ_ROUTING_MSI, KVM_MSI_VALID_DEVID, kvm_irq_routing_entry,
    kvm_irq_routing_entry__bindgen_ty_1, kvm_irq_routing_msi, kvm_irq_routing_msi__bindgen_ty_1,
    kvm_msi,
};

/// Address bits 11:5 of a message in compatibility format: destination 14:8
/// (`KVM_FEATURE_MSI_EXT_DEST_ID`).
const EXTENDED_DESTINATION: u64 = 0xfe0;
/// From there to where KVM has them: destination 31:8 in address 63:40.
const TO_HIGH_HALF: u32 = 35;
/// Reserved in the high half where KVM reads a destination out of it.
const HIGH_RESERVED: u64 = 0xff << 32;

/// Puts messages into KVM's form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Composer {
    /// What the guest was told of destinations in addresses.
    /// [`Addressing::Extended`] and [`Addressing::X2apic`] need
    /// `KVM_CAP_X2APIC_API` enabled with 32-bit ids, or KVM looks at 8 bits only.
    pub addressing: Addressing,
    /// Say who sends ([`crate::Vm::takes_device_ids`]).
    pub device_ids: bool,
}

impl Composer {
    /// The message, for `KVM_SIGNAL_MSI`.
    ///
    /// # Errors
    /// The high half of the address says what KVM would misread.
    pub fn message(&self, from: RequesterId, message: Message) -> Result<kvm_msi, MessageError> {
        let address = self.address(message.address)?;
        let [low, high] = halves(address);
        Ok(kvm_msi {
            address_lo: low,
            address_hi: high,
            data: message.data,
            flags: if self.device_ids {
                KVM_MSI_VALID_DEVID
            } else {
                0
            },
            devid: if self.device_ids { from.0.into() } else { 0 },
            ..kvm_msi::default()
        })
    }

    /// The message as the route of `gsi`.
    ///
    /// # Errors
    /// As for [`Composer::message`].
    pub fn route(
        &self,
        gsi: u32,
        from: RequesterId,
        message: Message,
    ) -> Result<kvm_irq_routing_entry, MessageError> {
        let message = self.message(from, message)?;
        let msi = kvm_irq_routing_msi {
            address_lo: message.address_lo,
            address_hi: message.address_hi,
            data: message.data,
            __bindgen_anon_1: kvm_irq_routing_msi__bindgen_ty_1 {
                devid: message.devid,
            },
        };
        Ok(kvm_irq_routing_entry {
            gsi,
            type_: KVM_IRQ_ROUTING_MSI,
            flags: message.flags,
            u: kvm_irq_routing_entry__bindgen_ty_1 { msi },
            ..kvm_irq_routing_entry::default()
        })
    }

    fn address(&self, address: u64) -> Result<u64, MessageError> {
        let refused = MessageError::HighHalf { address };
        match self.addressing {
            Addressing::Xapic if address >> 32 != 0 => Err(refused),
            Addressing::Xapic => Ok(address),
            Addressing::Extended if address >> 32 != 0 => Err(refused),
            Addressing::Extended => {
                let destination = address & EXTENDED_DESTINATION;
                Ok(address ^ destination | destination << TO_HIGH_HALF)
            }
            Addressing::X2apic if address & HIGH_RESERVED != 0 => Err(refused),
            Addressing::X2apic => Ok(address),
        }
    }
}

/// Low and high half.
fn halves(word: u64) -> [u32; 2] {
    let [a, b, c, d, e, f, g, h] = word.to_le_bytes();
    [
        u32::from_le_bytes([a, b, c, d]),
        u32::from_le_bytes([e, f, g, h]),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn composer(addressing: Addressing) -> Composer {
        Composer {
            addressing,
            device_ids: false,
        }
    }

    fn message(address: u64) -> Message {
        Message {
            address,
            data: 0x41,
        }
    }

    #[test]
    fn an_extended_destination_goes_where_kvm_reads_it() {
        let of = |address| {
            let msi = composer(Addressing::Extended).message(RequesterId(0), message(address));
            msi.map(|msi| (msi.address_hi, msi.address_lo))
        };
        // Destination 0x1234: 0x34 in 19:12, 0x12 in 11:5.
        assert_eq!(of(0xfee3_4240), Ok((0x1200, 0xfee3_4000)));
        assert_eq!(
            of(0xfeef_ffec),
            Ok((0x7f00, 0xfeef_f00c)),
            "hint and mode stay"
        );
        assert!(of(0x1_fee0_0000).is_err());
    }

    #[test]
    fn a_high_half_passes_only_where_it_means_a_destination() {
        let of = |addressing| {
            composer(addressing).message(RequesterId(0), message(0x0001_0200_fee0_3000))
        };
        let msi = of(Addressing::X2apic).unwrap();
        assert_eq!((msi.address_hi, msi.address_lo), (0x0001_0200, 0xfee0_3000));
        assert!(of(Addressing::Xapic).is_err());
        let reserved = composer(Addressing::X2apic).message(RequesterId(0), message(1 << 32));
        assert!(reserved.is_err());
    }

    #[test]
    fn a_route_is_the_same_message_with_its_sender() {
        let composer = Composer {
            device_ids: true,
            ..composer(Addressing::X2apic)
        };
        let from = RequesterId(0x1234);
        let message = message(0xfee0_1000);
        let route = composer.route(77, from, message).unwrap();
        assert_eq!((route.gsi, route.type_), (77, KVM_IRQ_ROUTING_MSI));
        assert_eq!(route.flags, KVM_MSI_VALID_DEVID);
        let signalled = composer.message(from, message).unwrap();
        assert_eq!(signalled.devid, 0x1234);
        // SAFETY: the route was made with this field of the union, and plain numbers.
        let (low, data, devid) = unsafe {
            let msi = route.u.msi;
            (msi.address_lo, msi.data, msi.__bindgen_anon_1.devid)
        };
        assert_eq!((low, data, devid), (0xfee0_1000, 0x41, 0x1234));
    }
}
