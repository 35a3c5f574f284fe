// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Fault registers as VT-d lays them out (chapter 11, FSTS_REG and FRCD_REG).

use bitfield_struct::bitfield;

/// The most fault recording registers a unit may have: CAP_REG.NFR has eight
/// bits, and there is one register more than it says.
pub const MAX_FAULT_RECORDS: u16 = 256;

/// FRCD_REG: one recorded fault.
#[bitfield(u128)]
#[derive(PartialEq, Eq)]
pub struct FaultRecord {
    #[bits(48)]
    __: u64,
    /// FI 63:48: for interrupt remapping, the index that was computed.
    pub index: u16,
    /// SID: who sent the request.
    pub source_id: u16,
    #[bits(16)]
    __: u16,
    /// FR: the fault reason.
    pub reason: u8,
    #[bits(23)]
    __: u32,
    /// F: this register holds a fault.
    pub fault: bool,
}

/// FSTS_REG: where recording stands.
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub struct FaultStatus {
    /// PFO: a fault found no free record; nothing is recorded until this is
    /// cleared.
    pub overflow: bool,
    /// PPF: at least one record holds a fault.
    pub pending: bool,
    #[bits(6)]
    __: u8,
    /// FRI: the record with the oldest fault, if there is one.
    pub record_index: u8,
    #[bits(16)]
    __: u16,
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn the_fields_stand_where_the_specification_puts_them() {
        assert_eq!(FaultRecord::new().with_fault(true).into_bits(), 1 << 127);
        assert_eq!(FaultRecord::new().with_reason(0xff).into_bits(), 0xff << 96);
        assert_eq!(
            FaultRecord::new().with_source_id(0xffff).into_bits(),
            0xffff << 64
        );
        assert_eq!(
            FaultRecord::new().with_index(0xffff).into_bits(),
            0xffff << 48
        );
        assert_eq!(FaultStatus::new().with_overflow(true).into_bits(), 1);
        assert_eq!(FaultStatus::new().with_pending(true).into_bits(), 2);
        assert_eq!(
            FaultStatus::new().with_record_index(0xff).into_bits(),
            0xff00
        );
    }
}
