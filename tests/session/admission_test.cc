#include "session/admission.h"

#include <gtest/gtest.h>

#include <vector>

namespace wsproxy::session {
namespace {

TEST(Admission, WithoutALimitThereIsAlwaysOneMore) {
  Admission admission([] {});
  std::vector<Admission::Place> places;
  for (int i = 0; i < 1000; ++i) places.push_back(admission.admit(0, false));
  for (const auto& place : places) EXPECT_TRUE(place);
  EXPECT_EQ(admission.present(), 1000u);
}

TEST(Admission, RefusesOverTheLimitAndAdmitsWhenAPlaceIsFreeAgain) {
  int left = 0;
  Admission admission([&] { ++left; });
  Admission::Place first = admission.admit(2, false);
  Admission::Place second = admission.admit(2, false);
  EXPECT_FALSE(admission.admit(2, false));
  EXPECT_EQ(left, 0);
  first = {};
  EXPECT_EQ(left, 1);
  EXPECT_TRUE(admission.admit(2, false));
}

TEST(Admission, TellsOfEachThatIsLetInWhenItIsCounted) {
  std::vector<std::size_t> told;
  Admission* self = nullptr;
  Admission admission([] {}, [&] { told.push_back(self->present()); });
  self = &admission;
  const auto first = admission.admit(1, false);
  EXPECT_FALSE(admission.admit(1, false));
  EXPECT_EQ(told, std::vector<std::size_t>{1});
}

TEST(Admission, ALimitLoweredLaterCountsThoseWhoAreIn) {
  Admission admission([] {});
  const auto a = admission.admit(3, false);
  const auto b = admission.admit(3, false);
  EXPECT_FALSE(admission.admit(1, false));
}

TEST(Admission, OnceMeansOnceEvenAfterTheFirstHasLeft) {
  Admission admission([] {});
  {
    const auto only = admission.admit(0, true);
  }
  EXPECT_FALSE(admission.admit(0, true));
  EXPECT_EQ(admission.admitted(), 1u);
}

TEST(Admission, AMovedPlaceIsGivenBackOnce) {
  int left = 0;
  Admission admission([&] { ++left; });
  {
    Admission::Place place = admission.admit(0, false);
    Admission::Place other = std::move(place);
    EXPECT_TRUE(other);
    EXPECT_FALSE(place);  // NOLINT(bugprone-use-after-move): what is left of it is the question
  }
  EXPECT_EQ(left, 1);
  EXPECT_EQ(admission.present(), 0u);
}

}  // namespace
}  // namespace wsproxy::session
