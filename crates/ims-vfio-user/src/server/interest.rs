// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which descriptor an event is about, in the 64 bits that epoll carries.

/// What a descriptor is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token {
    /// Other threads' events.
    Wake,
    /// A device's listener.
    Listener(u64),
    /// A connection's socket.
    Connection(u64),
    /// A connection's second socket.
    Twin(u64),
    /// The eventfd by which a connection's client unmasks the pin.
    Unmask(u64),
}

/// Bits of the number; ids are counted up and never reach them.
const KIND: u32 = 56;

impl Token {
    pub(super) fn to_u64(self) -> u64 {
        let (kind, id) = match self {
            Self::Wake => (0, 0),
            Self::Listener(id) => (1, id),
            Self::Connection(id) => (2, id),
            Self::Twin(id) => (3, id),
            Self::Unmask(id) => (4, id),
        };
        kind << KIND | id
    }

    pub(super) fn from_u64(word: u64) -> Option<Self> {
        let id = word & ((1 << KIND) - 1);
        Some(match word >> KIND {
            0 => Self::Wake,
            1 => Self::Listener(id),
            2 => Self::Connection(id),
            3 => Self::Twin(id),
            4 => Self::Unmask(id),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_comes_back_as_it_went() {
        for token in [
            Token::Wake,
            Token::Listener(1),
            Token::Connection(7 << 40),
            Token::Twin(3),
            Token::Unmask(9),
        ] {
            assert_eq!(Token::from_u64(token.to_u64()), Some(token));
        }
        assert_eq!(Token::from_u64(u64::MAX), None);
    }
}
