// Exact expressions in a form that is equal only for equal values: quotients of sums of products. A product is a rational
// number times atoms with rational exponents. Atoms are variables, pi, e, i, primes under a radical ("#2" with exponent 1/2 is
// sqrt 2), and whatever is not understood further, by its text ("sin(x)"). Radicals of different primes are independent over
// the rationals, so for numbers with radicals equal values have equal forms, too (Besicovitch 1940).
#pragma once

#include <gmpxx.h>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace minke::compare {

using Monomial = std::map<std::string, mpq_class>;  // atom to exponent, which is not 0
using Polynomial = std::map<Monomial, mpq_class>;   // monomial to coefficient, which is not 0

struct Quotient {
  Polynomial above;
  Polynomial below;  // 1 when it would be a single product
};

enum class RootOf { kPrincipal, kReal };  // what (-8)^(1/3) is; kReal for the root sign

// Operations with a common budget: past it, or where there is no value, failed() is true for good and results mean nothing.
class Algebra {
 public:
  bool failed() const { return failed_; }
  void fail() { failed_ = true; }
  // For a reading that may turn out to be wrong: what it costs counts, that it failed does not.
  Algebra attempt() const { return *this; }
  void charge(const Algebra& attempt) { work_left_ = attempt.work_left_; }

  Quotient number(const mpq_class& value);
  Quotient atom(std::string name);
  Quotient add(const Quotient& a, const Quotient& b);
  Quotient negated(const Quotient& a);
  Quotient multiply(const Quotient& a, const Quotient& b);
  Quotient inverse(const Quotient& a);
  Quotient power(const Quotient& base, const Quotient& exponent, RootOf root = RootOf::kPrincipal);
  Quotient apply(std::string_view function, const Quotient& argument);

  bool equal(const Quotient& a, const Quotient& b);
  // One is the other times a rational number that is not 0.
  bool proportional(const Quotient& a, const Quotient& b);

 private:
  void spend(int64_t work);
  void add_term(Polynomial& sum, const Monomial& monomial, const mpq_class& coefficient);
  Polynomial multiply(const Polynomial& a, const Polynomial& b);
  void raise_atom(Monomial& monomial, mpq_class& coefficient, const std::string& atom, const mpq_class& exponent);
  Quotient single(const Monomial& monomial, const mpq_class& coefficient);
  Quotient integer_power(const Quotient& base, long exponent);
  Quotient rational_power(const Quotient& base, const mpq_class& exponent, RootOf root);
  Quotient exponential(const Quotient& base, const Quotient& exponent);
  void raise_number(Monomial& monomial, mpq_class& coefficient, const mpz_class& number, const mpq_class& exponent);
  std::string text(const Polynomial& sum);
  std::string text(const Quotient& value);

  int64_t work_left_ = 200'000;
  bool failed_ = false;
};

bool is_rational(const Quotient& value);
// Of a rational value.
mpq_class rational_of(const Quotient& value);

}  // namespace minke::compare
