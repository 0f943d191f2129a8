//! Parts of a population, for several processes.

use crate::error::{Error, Result};
use std::fmt;
use std::ops::Range;
use std::str::FromStr;

/// One of several parts of a population, as equal as can be: `3/16` is the third of sixteen. Which
/// models it has depends on nothing but the number of models, so that the processes of a job array
/// need not know of each other.
///
/// ```
/// use wgrad::Shard;
/// let shards = ["1/3", "2/3", "3/3"].map(|text| text.parse::<Shard>().unwrap());
/// assert_eq!(shards.map(|shard| shard.models(10).unwrap()), [0..3, 3..6, 6..10]);
/// assert!("0/3".parse::<Shard>().is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    number: usize,
    of: usize,
}

impl Shard {
    /// The shard `number`, from 1 to `of`.
    ///
    /// # Errors
    /// Another number.
    pub fn new(number: usize, of: usize) -> Result<Self> {
        if number == 0 || number > of {
            let allowed = format!("1 to {of}");
            return Err(Error::argument("the number of a shard", number, allowed));
        }
        Ok(Self { number, of })
    }

    /// Its models, of a population of `models`.
    ///
    /// # Errors
    /// There are fewer models than shards.
    pub fn models(self, models: usize) -> Result<Range<usize>> {
        if models < self.of {
            let allowed = format!("at most {models}, as many as models");
            return Err(Error::argument("the number of shards", self.of, allowed));
        }
        // models · k / of, without the product.
        let begin = |k: usize| models / self.of * k + models % self.of * k / self.of;
        Ok(begin(self.number - 1)..begin(self.number))
    }
}

impl FromStr for Shard {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let numbers = text
            .split_once('/')
            .and_then(|(number, of)| Some((number.trim().parse().ok()?, of.trim().parse().ok()?)));
        let Some((number, of)) = numbers else {
            return Err(Error::argument("a shard", format!("{text:?}"), "two numbers as in 3/16"));
        };
        Self::new(number, of)
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_cover_every_model_once() {
        for models in [1, 2, 7, 16, 1000, 1 << 40, usize::MAX] {
            for of in [1, 2, 3, 7, 16, 1000] {
                let all: Vec<_> = (1..=of).map(|k| Shard::new(k, of).unwrap()).collect();
                if models < of {
                    assert!(all[0].models(models).is_err());
                    continue;
                }
                let ranges: Vec<_> =
                    all.iter().map(|shard| shard.models(models).unwrap()).collect();
                assert_eq!((ranges[0].start, ranges[of - 1].end), (0, models));
                assert!(ranges.windows(2).all(|pair| pair[0].end == pair[1].start));
                let sizes = ranges.iter().map(Range::len);
                let (least, most) = (sizes.clone().min().unwrap(), sizes.max().unwrap());
                assert!(most - least <= 1, "{models} {of}");
            }
        }
        for text in ["", "3", "4/3", "0/0", "-1/3", "1/3/5", "a/b"] {
            assert!(text.parse::<Shard>().is_err(), "{text}");
        }
        assert_eq!("3 / 16".parse::<Shard>().unwrap().to_string(), "3/16");
    }
}
