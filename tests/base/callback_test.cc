#include "base/callback.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>

namespace wsproxy {
namespace {

TEST(Callback, CallsWithWhatItWasGivenAndAnswers) {
  int calls = 0;
  Callback<std::string(int, const std::string&)> callback = [&calls](int n,
                                                                     const std::string& text) {
    ++calls;
    return text + std::to_string(n);
  };
  EXPECT_EQ(callback(7, "seven "), "seven 7");
  EXPECT_EQ(calls, 1);
}

TEST(Callback, ACopyCallsTheSame) {
  int calls = 0;
  Callback<void()> callback = [&calls] { ++calls; };
  auto copy = callback;
  callback = [] {};
  copy();
  callback();
  EXPECT_EQ(calls, 1);
}

TEST(Callback, WhatCapturesMoreLivesElsewhere) {
  int a = 1;
  int b = 2;
  auto sum = [&a, &b] { return a + b; };
  Callback<int()> callback = std::ref(sum);
  b = 40;
  EXPECT_EQ(callback(), 41);
}

TEST(Callback, TakesTwoWords) { EXPECT_EQ(sizeof(Callback<void()>), 2 * sizeof(void*)); }

}  // namespace
}  // namespace wsproxy
