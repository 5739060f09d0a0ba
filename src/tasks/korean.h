// Korean particles: their form depends on whether the word before them ends in a consonant, as it is read aloud.
#pragma once

#include <string>
#include <string_view>

namespace minke {

enum class Particle {
  kTopic,    // 은 / 는
  kSubject,  // 이 / 가
  kObject,   // 을 / 를
  kAnd,      // 과 / 와
  kBy,       // 으로 / 로
  kIs,       // 이다 / 다
};

// "민수" -> "민수는", "24" -> "24를" (사를), "18" -> "18을". The word ends in a Hangul syllable or an ASCII digit; after anything
// else the form for a vowel is taken.
std::string with_particle(std::string_view word, Particle particle);

}  // namespace minke
