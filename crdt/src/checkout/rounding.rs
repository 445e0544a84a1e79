//! How a fraction of a minor unit becomes a whole one. Data, since every country has its own rule.

use crate::codec::{DecodeError, Sink, Source, col};

/// A rule of rounding. All of them are symmetric about zero, so that a return gives back what the sale took.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum Rounding {
    /// To the nearest, half away from zero.
    #[default]
    HalfUp = 0,
    /// To the nearest, half to the even one.
    HalfEven = 1,
    /// Away from zero.
    Up = 2,
    /// Towards zero.
    Down = 3,
    /// To the nearest, half towards zero.
    HalfDown = 4,
}

impl Rounding {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::HalfUp, Self::HalfEven, Self::Up, Self::Down, Self::HalfDown];

    /// The word for the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::HalfUp => "half-up",
            Self::HalfEven => "half-even",
            Self::Up => "up",
            Self::Down => "down",
            Self::HalfDown => "half-down",
        }
    }

    /// Takes the word that [`Rounding::as_str`] gives.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rounding| rounding.as_str() == text)
    }

    /// `numerator / denominator` as a whole number. The denominator is above 0.
    pub fn divide(self, numerator: i128, denominator: i128) -> i64 {
        let (size, sign) = (numerator.unsigned_abs(), numerator.signum());
        let denominator = denominator.unsigned_abs().max(1);
        let (whole, rest) = (size / denominator, size % denominator);
        let half = (2 * rest).cmp(&denominator);
        let up = match self {
            Self::HalfUp => half.is_ge(),
            Self::HalfDown => half.is_gt(),
            Self::HalfEven => half.is_gt() || half.is_eq() && whole % 2 == 1,
            Self::Up => rest > 0,
            Self::Down => false,
        };
        let rounded = i64::try_from(whole + u128::from(up)).unwrap_or(i64::MAX);
        if sign < 0 { -rounded } else { rounded }
    }

    /// The multiple of `step` that an amount becomes. A step of 0 leaves it alone.
    pub fn to_step(self, amount: i64, step: u32) -> i64 {
        if step == 0 { amount } else { self.divide(amount.into(), step.into()).saturating_mul(step.into()) }
    }

    /// Writes its number.
    pub fn encode(self, sink: &mut impl Sink) {
        sink.uint(col::E, self as u64);
    }

    /// Reads what [`Rounding::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let number = source.u8(col::E)?;
        Self::ALL.get(usize::from(number)).copied().ok_or(DecodeError::Value("rounding"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_is_symmetric_and_rounds_as_it_is_called() {
        let halves = [(5, 2), (7, 2), (9, 4), (11, 4)];
        let expected = [
            (Rounding::HalfUp, [3, 4, 2, 3]),
            (Rounding::HalfEven, [2, 4, 2, 3]),
            (Rounding::Up, [3, 4, 3, 3]),
            (Rounding::Down, [2, 3, 2, 2]),
            (Rounding::HalfDown, [2, 3, 2, 3]),
        ];
        for (rule, results) in expected {
            for ((numerator, denominator), result) in halves.into_iter().zip(results) {
                assert_eq!(rule.divide(numerator, denominator), result, "{rule:?} {numerator}/{denominator}");
                assert_eq!(rule.divide(-numerator, denominator), -result, "{rule:?} -{numerator}/{denominator}");
            }
        }
        assert_eq!((Rounding::HalfUp.to_step(1_997, 5), Rounding::HalfUp.to_step(1_997, 0)), (1_995, 1_997));
    }
}
